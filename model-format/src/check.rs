//! Checks of a dense layer's parameters beyond their number.

use crate::layout::WeightLayout;
use crate::reader::Reader;
use crate::sizes::padded;
use crate::{Capabilities, Clamp, Dense, Error, Field, FieldError, Multiplier, WeightType};

/// Sums over the weights of a row, in magnitude at most 8192 · 128 each.
#[derive(Default)]
struct Sums {
    sum: i32,
    magnitude: u32,
}

/// Error of a row.
enum Fault {
    Field(Field, FieldError),
    Overflow { bound: u64, limit: u32 },
}

impl Fault {
    fn out_of_range(field: Field, value: i32) -> Self {
        Fault::Field(field, FieldError::OutOfRange(value))
    }
}

impl Dense<'_> {
    /// Checks what does not follow from the fields one by one: the parameters of each row, and
    /// that no input within `range` can overflow an accumulator.
    #[inline(never)]
    pub(crate) fn check<C: Capabilities>(
        &self,
        reader: &mut Reader<'_>,
        layer: u8,
        range: Clamp,
    ) -> Option<()> {
        let dense = self.specialize::<C>();
        if C::OPS.reads(WeightLayout::Sparse) && dense.layout == WeightLayout::Sparse {
            dense.check_sparse(reader, layer)?;
        }
        for row in 0..dense.outputs() as u16 {
            if let Err(fault) = dense.check_row::<C>(row.into(), range) {
                return reader.refuse_for(match fault {
                    Fault::Field(field, problem) => Error::Row { layer, row, field, problem },
                    Fault::Overflow { bound, limit } => {
                        Error::Overflow { layer, row, bound, limit }
                    }
                });
            }
        }
        Some(())
    }

    #[inline(always)]
    fn check_row<C: Capabilities>(&self, row: usize, range: Clamp) -> Result<(), Fault> {
        let multiplier = self.multiplier(row);
        if !Multiplier::SHIFTS.contains(&multiplier.shift) {
            return Err(Fault::out_of_range(Field::Shift, multiplier.shift.into()));
        }
        if !multiplier.has_valid_mantissa() {
            return Err(Fault::out_of_range(Field::Multiplier, multiplier.mantissa));
        }
        let sums = self.sums::<C>(row)?;
        let bias = self.bias(row);
        if self.layout.is_folded() {
            let expected = self.layout.fold(self.input.zero_point, bias, sums.sum);
            let found = self.folded_bias(row);
            if found != expected {
                let (expected, found) = (expected as u32, found as u32);
                let problem = FieldError::Mismatch { expected, found };
                return Err(Fault::Field(Field::FoldedBias, problem));
            }
        }
        self.bounds::<C>(bias, multiplier, &sums, range)
    }

    /// Refuses a row whose accumulator can reach what it must stay below.
    #[inline(always)]
    fn bounds<C: Capabilities>(
        &self,
        bias: i32,
        multiplier: Multiplier,
        sums: &Sums,
        range: Clamp,
    ) -> Result<(), Fault> {
        let low = i32::from(range.low).wrapping_sub(self.input.zero_point);
        let high = i32::from(range.high).wrapping_sub(self.input.zero_point);
        let reach = low.unsigned_abs().max(high.unsigned_abs());
        let bound = if C::OPS.int16 {
            // At most 2^20 · 2^16, and 2^31: no overflow.
            u64::from(sums.magnitude)
                .wrapping_mul(reach.into())
                .wrapping_add(bias.unsigned_abs().into())
        } else {
            // At most 2^20 · 255, and 2^31.
            sums.magnitude.wrapping_mul(reach).wrapping_add(bias.unsigned_abs()).into()
        };
        // Requantization multiplies by 2^shift before it divides: that must fit as well.
        let limit = (1 << 31) >> multiplier.shift.max(0) as u8;
        if bound < limit.into() { Ok(()) } else { Err(Fault::Overflow { bound, limit }) }
    }

    /// Adds up the weights of a row and checks them on the way.
    #[inline(always)]
    fn sums<C: Capabilities>(&self, row: usize) -> Result<Sums, Fault> {
        let mut sums = Sums::default();
        if C::OPS.reads(WeightLayout::Sparse) && self.layout == WeightLayout::Sparse {
            let mut least = 0;
            for (number, weights) in self.sparse_row(row) {
                if number < least || number >= padded(self.inputs()) / 4 {
                    return Err(Fault::out_of_range(Field::BlockNumber, number as i32));
                }
                least = number.wrapping_add(1);
                let [a, b, c, d] = *weights;
                let mut bytes = [a, b, c, d].into_iter();
                let column = number.wrapping_mul(4);
                self.add::<C>(&mut sums, column, 4, || bytes.next().unwrap_or(0))?;
            }
            return Ok(sums);
        }
        let strides = self.layout.strides(self.inputs(), self.outputs(), row);
        let weights = self.weight_bytes();
        let row_len = self.layout.row_len(self.inputs());
        let per_byte = self.layout.weight_type().per_byte();
        let is_coded = C::OPS.reads(WeightLayout::Pairs4)
            && self.layout == WeightLayout::Pairs4
            && strides.is_second_of_pair();
        let (mut start, mut done) = (strides.start, 0usize);
        while done < row_len {
            let mut at = start;
            let bytes = row_len.wrapping_sub(done).min(4);
            self.add::<C>(&mut sums, done.wrapping_mul(per_byte), bytes, || {
                let mut byte = weights.get(at).copied().unwrap_or(0);
                if is_coded {
                    // What does not fit becomes -128, which is refused.
                    let first = weights.get(at.wrapping_sub(1)).copied().unwrap_or(0);
                    byte = byte.wrapping_add(first >> 7);
                }
                at = at.wrapping_add(strides.byte);
                byte
            })?;
            start = start.wrapping_add(strides.block);
            done = done.wrapping_add(4);
        }
        Ok(sums)
    }

    /// Adds so many bytes of a block, the first of which has the weight of this column.
    #[inline(always)]
    fn add<C: Capabilities>(
        &self,
        sums: &mut Sums,
        mut column: usize,
        bytes: usize,
        mut byte: impl FnMut() -> u8,
    ) -> Result<(), Fault> {
        let weight_type = self.layout.weight_type();
        let limit = u32::from(weight_type.max_weight().unsigned_abs());
        let mut one = |weight: i32, code: i32| {
            if column >= self.inputs() {
                return match code {
                    0 => Ok(()),
                    _ => Err(Fault::Field(Field::WeightPadding, FieldError::NotZero)),
                };
            }
            let magnitude = weight.unsigned_abs();
            sums.sum = sums.sum.wrapping_add(weight);
            sums.magnitude = sums.magnitude.wrapping_add(magnitude);
            if magnitude > limit {
                return Err(Fault::out_of_range(Field::Weight, weight));
            }
            column = column.wrapping_add(1);
            Ok(())
        };
        for _ in 0..bytes {
            let byte = byte() ^ self.layout.flipped_bits();
            match weight_type {
                WeightType::Int4 if C::OPS.reads_type(WeightType::Int4) => {
                    for weight in [(byte << 4) as i8 >> 4, byte as i8 >> 4] {
                        one(weight.into(), weight.into())?;
                    }
                }
                WeightType::Int2 | WeightType::Ternary
                    if C::OPS.reads_type(WeightType::Int2)
                        || C::OPS.reads_type(WeightType::Ternary) =>
                {
                    if !weight_type.is_code(byte) {
                        return Err(Fault::out_of_range(Field::Weight, byte.into()));
                    }
                    let mut codes = weight_type.codes(byte);
                    for _ in 0..weight_type.per_byte() {
                        let code = i32::from(codes.next_code());
                        let weight = match weight_type {
                            WeightType::Int2 => code.wrapping_mul(2).wrapping_sub(3),
                            _ => code.wrapping_sub(1),
                        };
                        one(weight, code)?;
                    }
                }
                _ => one((byte as i8).into(), (byte as i8).into())?,
            }
        }
        Ok(())
    }

    /// Checks where the rows of a sparse layer start, and how many blocks there are.
    fn check_sparse(&self, reader: &mut Reader<'_>, layer: u8) -> Option<()> {
        let len = self.weight_bytes().len();
        let mut last = 0;
        for row in 0..(self.outputs() as u16).wrapping_add(1) {
            let start = self.sparse_start(row.into());
            // The numbers of the blocks are two bytes each, so their count is below the length.
            if start < last || start > len || (row == 0 && start != 0) {
                let problem = FieldError::TooLarge { value: start as u32, limit: len as u32 };
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
