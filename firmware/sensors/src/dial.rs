//! Two analog channels, a regression, and its answer as the duty of a PWM pin.

use core::fmt;

use embedded_hal::pwm::SetDutyCycle;
use thimble_nn::{AllOps, Capabilities, Clamp, DataType, Engine, InputError};

/// An analog input: embedded-hal 1.0 has no trait for it, so that a board wraps its converter.
pub trait AnalogIn {
    /// Why there is no count.
    type Error: fmt::Debug;

    /// Reads the raw count of the converter; of 16 unsigned bits, with 32768 taken off.
    ///
    /// # Errors
    /// The error of the converter.
    fn read(&mut self) -> Result<i16, Self::Error>;
}

/// Errors of a step; the duty does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialError<X, Y, P> {
    /// The first channel cannot be read.
    X(X),
    /// The second channel cannot be read.
    Y(Y),
    /// The model does not take two counts.
    Model(InputError),
    /// The pin cannot be set.
    Pwm(P),
}

impl<X: fmt::Debug, Y: fmt::Debug, P: fmt::Debug> fmt::Display for DialError<X, Y, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialError::X(error) => write!(f, "the first channel cannot be read: {error:?}"),
            DialError::Y(error) => write!(f, "the second channel cannot be read: {error:?}"),
            DialError::Model(error) => write!(f, "{error}"),
            DialError::Pwm(error) => write!(f, "the duty cannot be set: {error:?}"),
        }
    }
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn<'a> {
    /// The duty that was set.
    pub duty: u16,
    /// The bytes of the model's output.
    pub output: &'a [u8],
}

/// Two analog channels, a model of two inputs, and a PWM pin.
pub struct Dial<'m, 's, X, Y, P, C = AllOps> {
    engine: Engine<'m, 's, C>,
    x: X,
    y: Y,
    pwm: P,
    data_type: DataType,
    saturated: u32,
}

/// The errors of the parts of a dial.
type StepError<X, Y, P> = DialError<
    <X as AnalogIn>::Error,
    <Y as AnalogIn>::Error,
    <P as embedded_hal::pwm::ErrorType>::Error,
>;

impl<'m, 's, X: AnalogIn, Y: AnalogIn, P: SetDutyCycle, C: Capabilities> Dial<'m, 's, X, Y, P, C> {
    /// Puts the parts together.
    pub fn new(engine: Engine<'m, 's, C>, x: X, y: Y, pwm: P) -> Self {
        let data_type = engine.model().output_data_type();
        Dial { engine, x, y, pwm, data_type, saturated: 0 }
    }

    /// Reads both channels once, runs the model, and sets the duty.
    ///
    /// # Errors
    /// [`DialError`], and the duty stays what it was.
    pub fn step(&mut self) -> Result<Turn<'_>, StepError<X, Y, P>> {
        let x = self.x.read().map_err(DialError::X)?;
        let y = self.y.read().map_err(DialError::Y)?;
        let answer = self.engine.run_counts(&[x, y]).map_err(DialError::Model)?;
        self.saturated = self.saturated.saturating_add(answer.saturated());
        let first = answer.values().next().unwrap_or(0);
        let duty = duty(first, self.data_type, self.pwm.max_duty_cycle());
        self.pwm.set_duty_cycle(duty).map_err(DialError::Pwm)?;
        Ok(Turn { duty, output: answer.bytes() })
    }

    /// Counts since the start that lay beyond what the model's input can say.
    pub fn saturated_inputs(&self) -> u32 {
        self.saturated
    }

    /// The parts again: both channels and the pin.
    pub fn into_parts(self) -> (X, Y, P) {
        (self.x, self.y, self.pwm)
    }
}

/// The duty for an output: none for the least value that it can have, all of `most` for the largest,
/// in proportion between, to nearest with ties up.
///
/// A regression's output can say no more than the values that it was trained on, so that these are
/// the ends of what it says.
pub fn duty(value: i16, data_type: DataType, most: u16) -> u16 {
    let Clamp { low, high } = Clamp::all(data_type);
    // 255 or 65,535, by 16 bits: below 2^32.
    let (steps, range) = (i32::from(value) - i32::from(low), i32::from(high) - i32::from(low));
    let (steps, range) = (steps.max(0) as u32, range as u32);
    let scaled = steps.saturating_mul(most.into());
    // The quotient is at most `most`.
    let whole = scaled.checked_div(range).unwrap_or(0);
    let rest = scaled.checked_rem(range).unwrap_or(0);
    let up = rest >= range - rest;
    (whole + u32::from(up)).min(most.into()) as u16
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::pwm::{Mock as Pwm, Transaction};
    use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
    use model_format::{Channel, Encoding, Model, Multiplier, Quantization, WeightLayout};

    use super::*;

    /// A converter that has these counts, and fails where there is none.
    struct Script(std::vec::IntoIter<Option<i16>>);

    impl AnalogIn for Script {
        type Error = &'static str;

        fn read(&mut self) -> Result<i16, Self::Error> {
            self.0.next().flatten().ok_or("unplugged")
        }
    }

    fn script(counts: &[Option<i16>]) -> Script {
        Script(Vec::from(counts).into_iter())
    }

    /// x − y, of converters with 12 bits for −1 to 1.
    fn model() -> Vec<u8> {
        let step = 1.0 / 127.0;
        let tensor = Quantization::int8(step, 0);
        let channel = Channel::from_line(2.0 / 4095.0, -1.0, f64::from(step)).unwrap();
        ModelSpec {
            name: "difference".into(),
            input: InputSpec {
                shape: vec![2],
                quantization: tensor,
                encoding: Encoding::Counts(vec![channel]),
            },
            output: OutputSpec::Values(vec![]),
            layers: vec![LayerSpec::Dense(DenseSpec {
                inputs: 2,
                outputs: 1,
                weights: vec![1, -1],
                biases: vec![0],
                multipliers: vec![Multiplier::from_real(1.0).unwrap()],
                output: tensor,
                clamp: Clamp::INT8,
                layout: WeightLayout::RowMajor,
            })],
            self_tests: vec![],
            details: Default::default(),
        }
        .to_bytes()
        .unwrap()
    }

    #[test]
    fn counts_become_duties_and_errors_change_nothing() {
        let file = model();
        let model = Model::parse(&file).unwrap();
        let mut scratch = vec![0; model.scratch_len()];
        let engine = Engine::new(model, &mut scratch).unwrap();
        let x = script(&[Some(4095), None, Some(0), Some(2048), Some(32767), Some(4095)]);
        let y = script(&[Some(2048), Some(4095), None, Some(2048), Some(4095)]);
        let most = || Transaction::max_duty_cycle(1000);
        let pwm = Pwm::new(&[
            most(),
            Transaction::set_duty_cycle(1000),
            most(),
            Transaction::set_duty_cycle(0),
            most(),
            Transaction::set_duty_cycle(1000),
            most(),
            Transaction::set_duty_cycle(502)
                .with_error(embedded_hal_mock::eh1::MockError::Io(std::io::ErrorKind::Other)),
        ]);
        let mut dial = Dial::new(engine, x, y, pwm);
        // 127 − 0: the largest value.
        assert_eq!(dial.step(), Ok(Turn { duty: 1000, output: &[127] }));
        assert_eq!(dial.step(), Err(DialError::X("unplugged")));
        // −127 − 127, clamped to −128.
        assert_eq!(dial.step(), Ok(Turn { duty: 0, output: &[0x80] }));
        let error = dial.step().unwrap_err();
        assert_eq!(error, DialError::Y("unplugged"));
        assert_eq!(error.to_string(), "the second channel cannot be read: \"unplugged\"");
        // Far beyond what 12 bits count.
        assert_eq!(dial.step().map(|turn| turn.duty), Ok(1000));
        assert_eq!(dial.saturated_inputs(), 1);
        let error = dial.step().unwrap_err().to_string();
        assert!(error.contains("the duty cannot be set"), "{error}");
        dial.into_parts().2.done();
    }

    #[test]
    fn duties_are_in_proportion() {
        let of = |value| duty(value, DataType::Int8, 255);
        assert_eq!([-128, -127, 0, 127].map(of), [0, 1, 128, 255]);
        let of = |value| duty(value, DataType::Int16, 1000);
        assert_eq!([i16::MIN, -1, 0, i16::MAX].map(of), [0, 500, 500, 1000]);
        for most in [0, 1, 2, u16::MAX] {
            assert_eq!(duty(i16::MIN, DataType::Int16, most), 0);
            assert_eq!(duty(i16::MAX, DataType::Int16, most), most);
            assert_eq!(duty(127, DataType::Int8, most), most);
        }
    }
}
