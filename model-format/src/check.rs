//! What must hold of a dense layer's parameters beyond their number.

use crate::layout::WeightLayout;
use crate::reader::Reader;
use crate::sizes::padded;
use crate::{Clamp, Dense, Error, Field, Multiplier, Problem};

/// Sums over the weights of a row, in magnitude at most 8192 · 128 each.
#[derive(Default)]
struct Sums {
    sum: i32,
    magnitude: i32,
    /// Of the second of each pair of weights.
    odd: i32,
    least: i32,
    most: i32,
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, pair: [i32; 2]) {
        for weight in pair {
            self.sum = self.sum.wrapping_add(weight);
            self.magnitude = self.magnitude.wrapping_add(weight.wrapping_abs());
        }
        self.odd = self.odd.wrapping_add(pair[1]);
        self.least = self.least.min(pair[0]).min(pair[1]);
        // Only the second weight of a pair-coded pair can be more than a byte holds.
        self.most = self.most.max(pair[1]);
    }
}

impl Dense<'_> {
    /// Checks what does not follow from the fields one by one: the parameters of each row, and
    /// that no input within `range` can overflow an accumulator.
    #[inline(never)]
    pub(crate) fn check(&self, reader: &mut Reader<'_>, layer: u8, range: Clamp) -> Option<()> {
        if self.layout == WeightLayout::Sparse {
            self.check_sparse(reader, layer)?;
        }
        let mut folded = self.folded().iter();
        let rows = self.biases().iter().zip(self.mantissas()).zip(self.shifts());
        for (row, ((bias, mantissa), shift)) in (0u16..).zip(rows) {
            let (bias, mantissa) = (i32::from_le_bytes(*bias), i32::from_le_bytes(*mantissa));
            let multiplier = Multiplier { mantissa, shift: *shift as i8 };
            let mut refuse =
                |field, problem| reader.refuse_for::<()>(Error::Row { layer, row, field, problem });
            if !multiplier.is_valid() {
                return match Multiplier::SHIFTS.contains(&multiplier.shift) {
                    true => refuse(Field::Multiplier, Problem::OutOfRange(mantissa.into())),
                    false => refuse(Field::Shift, Problem::OutOfRange(multiplier.shift.into())),
                };
            }
            let sums = match self.sums(row.into()) {
                Ok(sums) => sums,
                Err((field, problem)) => return refuse(field, problem),
            };
            if let Some(stated) = folded.next() {
                let expected = self.layout.fold(self.input.zero_point, bias, sums.sum, sums.odd);
                let found = i32::from_le_bytes(*stated);
                if found != expected {
                    let (expected, found) = (expected as u32, found as u32);
                    return refuse(Field::FoldedBias, Problem::Mismatch { expected, found });
                }
            }
            if let Some((bound, limit)) = self.overflow(bias, multiplier, &sums, range) {
                return reader.refuse_for(Error::Overflow { layer, row, bound, limit });
            }
        }
        Some(())
    }

    /// What a row's accumulator can reach and what it must stay below, if it does not.
    fn overflow(
        &self,
        bias: i32,
        multiplier: Multiplier,
        sums: &Sums,
        range: Clamp,
    ) -> Option<(u64, u64)> {
        let low = i32::from(range.low).wrapping_sub(self.input.zero_point);
        let high = i32::from(range.high).wrapping_sub(self.input.zero_point);
        let reach = low.unsigned_abs().max(high.unsigned_abs());
        let product = |a: u32, b: u32| u64::from(a).wrapping_mul(b.into());
        // At most 2^20 · 2^16, and 2^31: no overflow.
        let accumulator =
            product(sums.magnitude as u32, reach).wrapping_add(bias.unsigned_abs().into());
        // Requantization multiplies by 2^shift before it divides: that must fit as well.
        let bound = accumulator << multiplier.shift.max(0) as u8;
        let mut limit = 1 << 31;
        if bound >= limit {
            return Some((bound, limit));
        }
        if self.layout != WeightLayout::Pairs4 {
            return None;
        }
        // The kernel holds 256 times the sum, which it may only let go around in between. These
        // are the sums of the positive and of the negative weights; below 2^31, as the bound is.
        limit = 1 << 23;
        let positive = sums.magnitude.wrapping_add(sums.sum) >> 1;
        let negative = sums.sum.wrapping_sub(positive);
        let extreme = |positive_by: i32, negative_by: i32| {
            bias.wrapping_add(positive.wrapping_mul(positive_by))
                .wrapping_add(negative.wrapping_mul(negative_by))
                .unsigned_abs()
        };
        let bound = extreme(high, low).max(extreme(low, high)).into();
        (bound >= limit).then_some((bound, limit))
    }

    /// Adds up the weights of a row and checks them on the way.
    fn sums(&self, row: usize) -> Result<Sums, (Field, Problem)> {
        let (inputs, mut sums) = (self.inputs(), Sums::default());
        let int8 = |byte: u8| i32::from(byte as i8);
        match self.layout {
            WeightLayout::Sparse => {
                let mut least = 0;
                for (number, weights) in self.sparse_row(row) {
                    if number < least || number >= padded(inputs) / 4 {
                        return Err((Field::BlockNumber, Problem::OutOfRange(number as i64)));
                    }
                    least = number.wrapping_add(1);
                    let [a, b, c, d] = weights.map(int8);
                    sums.add([a, b]);
                    sums.add([c, d]);
                    let beyond = weights.iter().skip(inputs.wrapping_sub(number.wrapping_mul(4)));
                    if beyond.copied().any(|weight| weight != 0) {
                        return Err((Field::WeightPadding, Problem::NotZero));
                    }
                }
            }
            layout => {
                let strides = layout.strides(inputs, self.outputs(), row);
                let weights = self.weight_bytes();
                let mut at = strides.start;
                for _ in 0..layout.row_len(inputs) / 4 {
                    let mut byte = || {
                        let byte = weights.get(at).copied().unwrap_or(0);
                        at = at.wrapping_add(strides.byte);
                        byte
                    };
                    let bytes = [byte(), byte(), byte(), byte()];
                    at = at.wrapping_add(strides.block).wrapping_sub(strides.byte.wrapping_mul(4));
                    if layout.is_int4() {
                        for byte in bytes {
                            sums.add([int8(byte << 4) >> 4, int8(byte) >> 4]);
                        }
                        continue;
                    }
                    let flip = if layout == WeightLayout::ColumnsUnsigned4 { 0x80 } else { 0 };
                    let [a, mut b, c, mut d] = bytes.map(|byte| int8(byte ^ flip));
                    if layout == WeightLayout::Pairs4 {
                        b = b.wrapping_sub(a >> 31);
                        d = d.wrapping_sub(c >> 31);
                    }
                    sums.add([a, b]);
                    sums.add([c, d]);
                }
                for column in inputs..layout.columns(inputs) {
                    if self.stored_weight(row, column) != 0 {
                        return Err((Field::WeightPadding, Problem::NotZero));
                    }
                }
            }
        }
        let limit = i32::from(self.layout.max_weight());
        for extreme in [sums.least, sums.most] {
            if extreme.wrapping_abs() > limit {
                return Err((Field::Weight, Problem::OutOfRange(extreme.into())));
            }
        }
        Ok(sums)
    }

    /// Checks where the rows of a sparse layer start, and how many blocks there are.
    fn check_sparse(&self, reader: &mut Reader<'_>, layer: u8) -> Option<()> {
        let len = self.weight_bytes().len();
        let mut last = 0;
        for row in 0..(self.outputs() as u16).wrapping_add(1) {
            let start = self.sparse_start(row.into());
            // The numbers of the blocks are two bytes each, so their count is below the length.
            if start < last || start > len || (row == 0 && start != 0) {
                let problem = Problem::OutOfRange(start as i64);
                return reader.refuse_for(Error::Row {
                    layer,
                    row,
                    field: Field::BlockStart,
                    problem,
                });
            }
            last = start;
        }
        let expected = self
            .layout
            .weights_len(self.inputs(), self.outputs())
            .wrapping_add(padded(last.wrapping_mul(2)))
            .wrapping_add(last.wrapping_mul(4));
        if expected != len {
            return reader.mismatch(Field::Parameters, expected, len);
        }
        Some(())
    }
}
