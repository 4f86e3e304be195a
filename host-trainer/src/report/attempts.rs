//! Table of the evaluated quantization candidates with their costs.

use super::number::{bytes, grouped, percent, significant};
use super::style::{BAD, FAINT, paint};
use super::table::Table;
use crate::choice::{Choice, QuantizationLoss};

/// Returns a table of the candidates; one line if the first was good enough.
pub fn attempts_text(choice: &Choice) -> String {
    let rows = grouped(choice.rows as u64);
    let heading = format!("quantization, evaluated on {rows} {} rows", choice.judged);
    if let ([only], None) = (choice.attempts.as_slice(), &choice.culprits) {
        return paint(FAINT, format!("{heading}: {} {}", only.name, lost(only.loss))) + "\n";
    }
    let is_values = matches!(choice.taken().loss, QuantizationLoss::SquaredError(_));
    let figure = |value: f64| if is_values { significant(value) } else { percent(value) };
    let quality = match choice.outputs {
        0 => "accuracy",
        1 => "mean squared error",
        _ => "mean squared error of all outputs",
    };
    let mut table = Table::new([
        heading,
        quality.to_string(),
        if choice.outputs > 1 { "loss of the worst output" } else { "loss" }.to_string(),
        "bytes".to_string(),
        "≈ instructions".to_string(),
        String::new(),
    ])
    .gap(2);
    table.row([
        "float".into(),
        figure(choice.float).into(),
        "–".into(),
        "–".into(),
        "–".into(),
        "".into(),
    ]);
    for (index, attempt) in choice.attempts.iter().enumerate() {
        table.row([
            attempt.name.clone().into(),
            figure(attempt.figure).into(),
            lost(attempt.loss).into(),
            bytes(attempt.bytes as u64).into(),
            grouped(attempt.instructions).into(),
            if index == choice.taken { "taken" } else { "" }.into(),
        ]);
    }
    let mut text = table.lines().join("\n") + "\n";
    text += &paint(FAINT, "instructions: estimated for a Cortex-M4F, dense input");
    text += "\n";
    if let Some(culprits) = &choice.culprits {
        let warning = format!(
            "every candidate loses more than 0.1 points of accuracy or 5 % of the squared error: \
             {culprits}"
        );
        text += &format!("{}\n", paint(BAD, warning));
    }
    text
}

/// Returns the loss of quantization in points or percent.
pub(crate) fn lost(loss: QuantizationLoss) -> String {
    match loss {
        QuantizationLoss::Accuracy(lost) => {
            let points = format!("{:.2} points", lost.abs() * 100.0);
            match lost {
                lost if lost.abs() < 5e-5 => "0.00 points".to_string(),
                lost if lost < 0.0 => format!("−{points}"),
                _ => points,
            }
        }
        QuantizationLoss::SquaredError(ratio) => {
            let sign = if ratio < 1.0 { "−" } else { "+" };
            format!("{sign}{} %", significant((ratio - 1.0).abs() * 100.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Attempt;
    use crate::quantize::Settings;

    fn attempt(name: &str, lost: f64) -> Attempt {
        Attempt {
            name: name.into(),
            settings: Settings::default(),
            loss: QuantizationLoss::Accuracy(lost),
            figure: 0.98 - lost,
            bytes: 1234,
            instructions: 5678,
        }
    }

    fn choice(attempts: Vec<Attempt>, taken: usize, culprits: Option<&str>) -> Choice {
        Choice {
            attempts,
            taken,
            float: 0.98,
            judged: "validation",
            rows: 100,
            outputs: 0,
            culprits: culprits.map(String::from),
        }
    }

    #[test]
    fn one_good_way_is_one_line() {
        let text = attempts_text(&choice(vec![attempt("int8", 0.0)], 0, None));
        assert!(text.contains("evaluated on 100 validation rows: int8 0.00 points"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn every_way_is_shown_and_the_one_that_was_taken() {
        let attempts = vec![attempt("int8", 0.02), attempt("int16", -0.001)];
        let text = attempts_text(&choice(attempts.clone(), 1, None));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].contains("2.00 points") && !lines[2].contains("taken"), "{text}");
        assert!(lines[3].contains("−0.10 points") && lines[3].contains("taken"), "{text}");
        let text = attempts_text(&choice(attempts, 0, Some("of the features, `x`")));
        assert!(text.contains("of the squared error: of the features, `x`"), "{text}");
    }
}
