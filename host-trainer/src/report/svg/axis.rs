//! Axes: scales and ticks.

/// A scale from numbers to pixels, with round numbers as ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    from: f64,
    to: f64,
    /// Tick values.
    pub ticks: Vec<f64>,
    step: f64,
    logarithmic: bool,
}

impl Axis {
    /// Creates an axis that covers these numbers, with about `ticks` ticks, including both ends.
    pub fn covering(least: f64, most: f64, ticks: usize) -> Self {
        let span = if most > least { most - least } else { 1.0 };
        let step = round_step(span / ticks.max(1) as f64);
        let first = (least / step + 1e-9).floor();
        let last = (most / step - 1e-9).ceil().max(first + 1.0);
        let count = (last - first) as usize;
        let ticks = (0..=count).map(|tick| (first + tick as f64) * step).collect();
        Axis { from: first * step, to: last * step, ticks, step, logarithmic: false }
    }

    /// Creates a logarithmic axis that covers these positive numbers, with powers of ten as ends
    /// and ticks.
    pub fn decades(least: f64, most: f64) -> Self {
        let first = (least.log10() + 1e-9).floor() as i32;
        let last = ((most.log10() - 1e-9).ceil() as i32).max(first + 1);
        let every = ((last - first) as usize).div_ceil(6).max(1);
        let ticks = (first..=last).step_by(every).map(|power| 10_f64.powi(power)).collect();
        let (from, to) = (10_f64.powi(first), 10_f64.powi(last));
        Axis { from, to, ticks, step: 1.0, logarithmic: true }
    }

    /// Creates an axis exactly from `least` to `most`, with about `ticks` ticks between.
    pub fn within(least: f64, most: f64, ticks: usize) -> Self {
        let (from, to) = if most > least { (least, most) } else { (least - 0.5, least + 0.5) };
        let step = round_step((to - from) / ticks.max(1) as f64);
        let first = (from / step - 1e-9).ceil();
        let count = (to / step + 1e-9 - first).floor().max(0.0) as usize;
        // Avoids a tick at −0.
        let ticks = (0..=count).map(|tick| (first + tick as f64) * step + 0.0).collect();
        Axis { from, to, ticks, step, logarithmic: false }
    }

    /// Creates an axis from 1 to `last`, in whole numbers.
    pub fn counting(last: usize, ticks: usize) -> Self {
        let step = round_step(last as f64 / ticks.max(1) as f64).max(1.0);
        let multiples = (1..).map(|tick| tick as f64 * step).take_while(|&t| t <= last as f64);
        let first = (step > 1.0).then_some(1.0);
        let ticks = first.into_iter().chain(multiples).collect();
        // A single epoch is centered.
        let (from, to) = if last > 1 { (1.0, last as f64) } else { (0.5, 1.5) };
        Axis { from, to, ticks, step, logarithmic: false }
    }

    /// Returns the position of a number, from 0 to 1.
    pub fn place(&self, value: f64) -> f64 {
        match self.logarithmic {
            true => (value / self.from).log10() / (self.to / self.from).log10(),
            false => (value - self.from) / (self.to - self.from),
        }
    }

    /// Formats a tick with as many decimals as the step needs.
    pub fn label(&self, tick: f64) -> String {
        let step = if self.logarithmic { tick } else { self.step };
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        format!("{tick:.decimals$}")
    }
}

/// Returns the smallest of 1, 2, 5 times a power of ten that is not below the step.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = step / power;
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|&round| factor <= round * 1.000_001);
    round.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_numbers() {
        let labels = |axis: &Axis| axis.ticks.iter().map(|&t| axis.label(t)).collect::<Vec<_>>();
        let axis = Axis::covering(0.0, 0.381, 4);
        assert_eq!(labels(&axis), ["0.0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!((axis.place(0.0), axis.place(0.4)), (0.0, 1.0));
        assert_eq!(labels(&Axis::covering(89.2, 100.0, 4)), ["85", "90", "95", "100"]);
        assert_eq!(labels(&Axis::covering(1.0, 1.0, 4)).len(), 2);
        let axis = Axis::within(-0.3, 5.9, 4);
        assert_eq!(
            (labels(&axis), axis.place(5.9)),
            (["0", "2", "4"].map(String::from).into(), 1.0)
        );
        let axis = Axis::decades(0.0008, 0.2);
        assert_eq!(labels(&axis), ["0.0001", "0.001", "0.01", "0.1", "1"]);
        assert!((axis.place(0.01) - 0.5).abs() < 1e-12);
        assert_eq!(labels(&Axis::decades(1.0, 1.0)), ["1", "10"]);
        assert_eq!(labels(&Axis::within(1.0, 1.0, 4)), ["0.5", "1.0", "1.5"]);
        assert_eq!(labels(&Axis::counting(10, 5)), ["1", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&Axis::counting(3, 5)), ["1", "2", "3"]);
        assert_eq!(Axis::counting(1, 5).place(1.0), 0.5);
    }
}
