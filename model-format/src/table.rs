//! Element-wise functions, by table.

use crate::reader::Reader;
use crate::{Capabilities, DataType, Field, Quantization};

/// Entries of a table for int8: one a value.
pub const TABLE_INT8_LEN: usize = 256;
/// Entries of a table for int16: one at every 256th value, and one at the end.
pub const TABLE_INT16_LEN: usize = 257;

/// An element-wise layer, such as tanh or sigmoid: the same function for every value, by table.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    width: u16,
    /// Quantization of the input's values.
    pub input: Quantization,
    /// Quantization of the output's values; of the data type of the input.
    pub output: Quantization,
    bytes: &'a [u8],
}

impl<'a> Table<'a> {
    pub(crate) fn read<C: Capabilities>(
        reader: &mut Reader<'a>,
        width: usize,
        input: Quantization,
    ) -> Option<Self> {
        let output = Quantization::read::<C>(reader)?;
        if output.data_type != input.data_type {
            let (expected, found) = (input.data_type as usize, output.data_type as usize);
            return reader.mismatch(Field::DataType, expected, found);
        }
        let len = match input.data_type {
            DataType::Int8 => TABLE_INT8_LEN,
            DataType::Int16 => TABLE_INT16_LEN * 2,
        };
        let bytes = reader.take_exact(Field::Table, len)?;
        // Every layer before has at most MAX_WIDTH outputs.
        Some(Table { width: width as u16, input, output, bytes })
    }

    /// A layer of these fields, which have been read from a checked file.
    pub(crate) fn of(
        width: u16,
        input: Quantization,
        output: Quantization,
        bytes: &'a [u8],
    ) -> Self {
        Table { width, input, output, bytes }
    }

    /// Number of inputs, and of outputs.
    pub fn width(&self) -> usize {
        self.width.into()
    }

    /// The table as it lies in the file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The output for an input of int8.
    pub fn look_up_int8(&self, x: i8) -> i8 {
        // Entry 0 is that of −128.
        self.bytes.get(usize::from(x as u8 ^ 0x80)).map_or(0, |y| *y as i8)
    }

    /// The output for an input of int16: on the line between the entries on both sides, rounded
    /// to nearest with ties up.
    pub fn look_up_int16(&self, x: i16) -> i16 {
        let (entries, _) = self.bytes.as_chunks();
        let entry = |index| entries.get(index).map_or(0, |y| i32::from(i16::from_le_bytes(*y)));
        let place = i32::from(x).wrapping_add(1 << 15);
        let (index, part) = ((place >> 8) as usize, place & 0xff);
        let (left, right) = (entry(index), entry(index.wrapping_add(1)));
        // |right − left| · part is below 2^24, and the result lies between the two.
        let step = right.wrapping_sub(left).wrapping_mul(part).wrapping_add(128) >> 8;
        left.wrapping_add(step) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AllOps, Location};

    fn table(bytes: &[u8], data_type: DataType) -> Table<'_> {
        let tensor = Quantization { data_type, scale: 1.0, zero_point: 0 };
        Table { width: 1, input: tensor, output: tensor, bytes }
    }

    #[test]
    fn the_first_entry_is_the_lowest() {
        let bytes: Vec<u8> = (0..=255).collect();
        let table = table(&bytes, DataType::Int8);
        assert_eq!([-128, -1, 0, 127].map(|x| table.look_up_int8(x)), [0, 127, -128, -1]);
    }

    #[test]
    fn int16_lies_on_the_line_between() {
        let line: Vec<u8> =
            (0..257).flat_map(|k| ((k * 255 - 32768).min(32767) as i16).to_le_bytes()).collect();
        let table = table(&line, DataType::Int16);
        assert_eq!(table.look_up_int16(i16::MIN), -32768);
        assert_eq!(table.look_up_int16(-32768 + 256), -32768 + 255);
        // 128 of 256 of the way: 127.5, and ties go up.
        assert_eq!(table.look_up_int16(-32768 + 128), -32768 + 128);
        assert_eq!(table.look_up_int16(i16::MAX), 32257 + 254);
    }

    #[test]
    fn the_extremes_do_not_overflow() {
        let saw: Vec<u8> = (0..257)
            .flat_map(|k| (if k % 2 == 0 { i16::MIN } else { i16::MAX }).to_le_bytes())
            .collect();
        let table = table(&saw, DataType::Int16);
        for x in (i16::MIN..=i16::MAX).step_by(if cfg!(miri) { 257 } else { 1 }) {
            table.look_up_int16(x);
        }
        assert_eq!(table.look_up_int16(-32768 + 255), 32511);
    }

    #[test]
    fn data_type_must_stay() {
        // int16, scale 1, zero point 0.
        let mut reader = Reader::new(&[1, 0, 0, 0x80, 0x3f, 0], 22);
        reader.place = Location::Layer(0);
        assert!(Table::read::<AllOps>(&mut reader, 1, Quantization::int8(1.0, 0)).is_none());
        assert_eq!(reader.refusal().to_string(), "layer 0, data type: 1 where 0 is needed");
    }
}
