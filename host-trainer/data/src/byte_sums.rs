//! Range and sums of each feature of rows of bytes.

use std::borrow::Cow;

use thimble_numeric::vectorized::{Loop, vectorized};

use super::Subset;

/// Rows whose squares sum up to less than 2³²: 255² · 2¹⁶.
const ROWS: usize = 1 << 16;

/// Smallest and largest byte of a feature, and sums over its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSums {
    /// Smallest byte.
    pub low: u8,
    /// Largest byte.
    pub high: u8,
    /// Sum of the bytes.
    pub sum: u64,
    /// Sum of their squares.
    pub squares: u64,
}

impl ByteSums {
    /// Sums up each feature. Rows that are not bytes have no sums.
    pub fn of(rows: &Subset) -> Vec<ByteSums> {
        let width = rows.dataset().width();
        let (mut low, mut high) = (vec![u8::MAX; width], vec![u8::MIN; width]);
        let (mut sum, mut squares) = (vec![0; width], vec![0; width]);
        for start in (0..rows.len()).step_by(ROWS) {
            let (mut part, mut part_squares) = (vec![0; width], vec![0; width]);
            for position in start..(start + ROWS).min(rows.len()) {
                if let Some(bytes) = rows.bytes(position) {
                    let copy = || Cow::Owned(bytes.to_vec());
                    let bytes = bytes.as_slice().map_or_else(copy, Cow::Borrowed);
                    vectorized::<Add, _>((
                        &*bytes,
                        [low.as_mut_slice(), high.as_mut_slice()],
                        [part.as_mut_slice(), part_squares.as_mut_slice()],
                    ));
                }
            }
            sum.iter_mut().zip(&part).for_each(|(sum, &part)| *sum += u64::from(part));
            squares.iter_mut().zip(&part_squares).for_each(|(sum, &part)| *sum += u64::from(part));
        }
        let feature = |at: usize| ByteSums {
            low: low[at],
            high: high[at],
            sum: sum[at],
            squares: squares[at],
        };
        (0..width).map(feature).collect()
    }
}

/// Adds a row.
struct Add;

impl Loop<(&[u8], [&mut [u8]; 2], [&mut [u32]; 2])> for Add {
    type Output = ();

    #[inline(always)]
    fn run((bytes, [low, high], [sums, squares]): (&[u8], [&mut [u8]; 2], [&mut [u32]; 2])) {
        for ((&byte, low), high) in bytes.iter().zip(low).zip(high) {
            *low = byte.min(*low);
            *high = byte.max(*high);
        }
        for ((&byte, sum), square) in bytes.iter().zip(sums).zip(squares) {
            let value = u32::from(byte);
            *sum = sum.wrapping_add(value);
            *square = square.wrapping_add(value * value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::array;

    use super::*;
    use crate::{Dataset, Features, Labels};

    #[test]
    fn sums_are_over_the_rows_of_the_subset() {
        let values = array![[0_u8, 255], [9, 9], [3, 255]];
        let labels = Labels { indices: vec![0, 1, 0], names: vec!["a".into(), "b".into()] };
        let features = Features::Bytes { values, scale: 1.0 };
        let data = Dataset::new("bytes", vec![2], features, labels).unwrap();
        let found = ByteSums::of(&Subset::new(Arc::new(data), vec![0, 2]));
        assert_eq!(found[0], ByteSums { low: 0, high: 3, sum: 3, squares: 9 });
        assert_eq!(found[1], ByteSums { low: 255, high: 255, sum: 510, squares: 130_050 });
    }
}
