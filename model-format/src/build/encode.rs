//! The writer of model files.

use serde::Serialize;

use super::weights::{folded_biases, lay_out, weights_len};
use super::{DenseSpec, DetailsSpec, FeatureSpec, LayerSpec, ModelSpec, OutputSpec, TableSpec};
use crate::dense::COMPACT;
use crate::{
    DataType, Encoding, Error, Field, FieldError, HEADER_LEN, Header, Location, Model,
    Quantization, Softmax, TABLE_INT8_LEN, TABLE_INT16_LEN, WeightType,
};

impl ModelSpec {
    /// Writes the model file, and checks it as a reader will.
    ///
    /// # Errors
    /// Those of [`Model::parse`] on the file, or that a layer has more or fewer weights, biases
    /// or multipliers than its shape asks for.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        // The header is known when all behind it is.
        let mut payload = Payload(vec![0; HEADER_LEN]);
        payload.put(&self.name);
        payload.put_count(self.input.shape.len());
        for dimension in &self.input.shape {
            payload.put_count(*dimension);
        }
        payload.put_quantization(self.input.quantization);
        match &self.input.encoding {
            Encoding::Quantized => payload.put(&0u32),
            Encoding::Unsigned8 => payload.put(&1u32),
            Encoding::Counts(channels) => {
                payload.put(&2u32);
                let bytes: Vec<u8> = channels.iter().flat_map(|c| c.to_bytes()).collect();
                payload.put_bytes(&bytes);
            }
            Encoding::Reals(channels) => {
                payload.put(&3u32);
                let bytes: Vec<u8> = channels.iter().flat_map(|c| c.to_bytes()).collect();
                payload.put_bytes(&bytes);
            }
        }
        match &self.output {
            OutputSpec::Classes { labels, threshold } => {
                payload.put(&0u32);
                payload.put(labels);
                payload.put(threshold);
            }
            OutputSpec::Values(scales) => {
                payload.put(&1u32);
                let bytes: Vec<u8> = scales.iter().flat_map(|scale| scale.to_bytes()).collect();
                payload.put_bytes(&bytes);
            }
            OutputSpec::Probability { labels, threshold } => {
                payload.put(&2u32);
                payload.put(labels);
                payload.put(threshold);
            }
        }
        payload.put_count(self.layers.len());
        let mut input = self.input.quantization;
        for (index, layer) in self.layers.iter().enumerate() {
            // A count beyond the limit is for the reader to refuse.
            let place = Location::Layer(index.min(u8::MAX.into()) as u8);
            match layer {
                LayerSpec::Dense(dense) => {
                    payload.put_dense(dense, input, place)?;
                    input = dense.output;
                }
                LayerSpec::Table(table) => {
                    payload.put_table(table, place)?;
                    input = table.output;
                }
                LayerSpec::Softmax(softmax) => {
                    payload.put(&2u32);
                    let exponentials = &softmax.exponentials;
                    payload.put_aligned_len(4 * exponentials.len());
                    payload.0.extend(exponentials.iter().flat_map(|e| e.to_le_bytes()));
                    input = Softmax::OUTPUT;
                }
            }
        }
        payload.put_count(self.self_tests.len());
        for test in &self.self_tests {
            payload.put_bytes(&test.input);
            payload.put_bytes(&test.output);
        }
        payload.put_bytes(&self.details.to_bytes());
        let Payload(mut file) = payload;
        let header = Header::bytes_for(&file[HEADER_LEN..])?;
        file[..HEADER_LEN].copy_from_slice(&header);
        Model::parse(&file)?;
        Ok(file)
    }
}

impl DetailsSpec {
    fn to_bytes(&self) -> Vec<u8> {
        if *self == DetailsSpec::default() {
            return Vec::new();
        }
        let mut details = Payload(Vec::new());
        details.put_count(self.features.len());
        for FeatureSpec { name, unit, clipped, line } in &self.features {
            details.put(name);
            details.put(unit);
            details.put(clipped);
            line.iter().for_each(|value| details.put(value));
        }
        details.put(&self.outputs);
        details.put(&self.preparation);
        details.0
    }
}

pub(super) struct Payload(pub(super) Vec<u8>);

impl Payload {
    pub(super) fn put<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Neither a vector nor any of the types written here can fail to be serialized: the
        // lengths of all sequences are known.
        if let Ok(bytes) = postcard::to_stdvec(value) {
            self.0.extend_from_slice(&bytes);
        }
    }

    pub(super) fn put_count(&mut self, count: usize) {
        self.put(&u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn put_quantization(&mut self, quantization: Quantization) {
        self.put(&(quantization.data_type as u32));
        self.put(&quantization.scale);
        self.put(&quantization.zero_point);
    }

    /// Writes the length of bytes so that these start on a 4-byte boundary of the file.
    fn put_aligned_len(&mut self, len: usize) {
        let mut length = Payload(Vec::new());
        length.put_count(len);
        // Behind the padding's own length, a byte, and the length of the bytes.
        let start = self.0.len() + 1 + length.0.len();
        self.put_bytes(&[0; 3][..start.next_multiple_of(4) - start]);
        self.0.extend_from_slice(&length.0);
    }

    fn put_dense(
        &mut self,
        dense: &DenseSpec,
        input: Quantization,
        place: Location,
    ) -> Result<(), Error> {
        let (inputs, outputs) = (dense.inputs, dense.outputs);
        check_count(place, Field::Weight, inputs.saturating_mul(outputs), dense.weights.len())?;
        check_count(place, Field::Parameters, outputs, dense.biases.len())?;
        check_count(place, Field::Multiplier, outputs, dense.multipliers.len())?;
        let weight_type = dense.layout.weight_type();
        // Where all bytes are weights but one, a reader tells.
        if weight_type != WeightType::Int8
            && let Some(weight) = dense.weights.iter().find(|w| !weight_type.holds((**w).into()))
        {
            // So few bits would not hold it, and a reader would find another weight.
            let problem = FieldError::OutOfRange((*weight).into());
            return Err(Error::Field { place, field: Field::Weight, problem });
        }
        self.put(&0u32);
        self.put_count(inputs);
        self.put_count(outputs);
        self.put_quantization(dense.output);
        self.put(&i32::from(dense.clamp.low));
        self.put(&i32::from(dense.clamp.high));
        if let Some(rows) = compact_rows(dense) {
            self.put(&(dense.layout as u32 | COMPACT));
            self.put_aligned_len(rows.len() + weights_len(dense));
            self.0.extend(rows);
            lay_out(dense, &mut self.0);
            return Ok(());
        }
        self.put(&(dense.layout as u32));
        let folded = folded_biases(dense, input);
        self.put_aligned_len(4 * (2 * outputs + folded.len()) + weights_len(dense) + outputs);
        // Straight into the file: a layer may have megabytes.
        let parameters = &mut self.0;
        for bias in dense.biases.iter().chain(&folded) {
            parameters.extend_from_slice(&bias.to_le_bytes());
        }
        for multiplier in &dense.multipliers {
            parameters.extend_from_slice(&multiplier.mantissa.to_le_bytes());
        }
        lay_out(dense, parameters);
        parameters.extend(dense.multipliers.iter().map(|multiplier| multiplier.shift as u8));
        Ok(())
    }

    fn put_table(&mut self, table: &TableSpec, place: Location) -> Result<(), Error> {
        self.put(&1u32);
        self.put_quantization(table.output);
        let bytes: Vec<u8> = match table.output.data_type {
            DataType::Int8 => {
                check_count(place, Field::Table, TABLE_INT8_LEN, table.entries.len())?;
                table.entries.iter().map(|entry| *entry as u8).collect()
            }
            DataType::Int16 => {
                check_count(place, Field::Table, TABLE_INT16_LEN, table.entries.len())?;
                table.entries.iter().flat_map(|entry| entry.to_le_bytes()).collect()
            }
        };
        self.put_bytes(&bytes);
        Ok(())
    }
}

/// Biases and multipliers of 16 bits each, where the layout may have them and all rows fit.
fn compact_rows(dense: &DenseSpec) -> Option<Vec<u8>> {
    if !dense.layout.may_be_compact() {
        return None;
    }
    let biases = dense.biases.iter().map(|bias| i16::try_from(*bias).ok().map(i16::to_le_bytes));
    let codes = dense.multipliers.iter().map(|m| m.compact_code().map(u16::to_le_bytes));
    let halfwords: Option<Vec<[u8; 2]>> = biases.chain(codes).collect();
    halfwords.map(|halfwords| halfwords.concat())
}

fn check_count(place: Location, field: Field, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    let problem = FieldError::Mismatch { expected: expected as u32, found: found as u32 };
    Err(Error::Field { place, field, problem })
}
