//! Tensors of a TensorFlow Lite model: shapes, quantization, constant data.

use model_format::Quantization;
use model_format::limits::MAX_WIDTH;

use super::error::{ImportError, TensorProblem, damaged};
use super::flatbuffer::{OutOfFile, Table, Tables};
use super::schema::Type;

/// A tensor.
#[derive(Clone, Debug)]
pub(super) struct Tensor<'a> {
    index: usize,
    name: String,
    pub(super) shape: Vec<i32>,
    pub(super) kind: Type,
    pub(super) scales: Vec<f32>,
    zero_points: Vec<i64>,
    /// Dimension of the scales (`quantized_dimension`).
    pub(super) dimension: u32,
    sparse: bool,
    /// The shape with −1 for each dimension that is known only when the model runs, such as a free
    /// batch. Empty where all are known.
    signature: Vec<i32>,
    buffer: Option<Table<'a>>,
}

impl<'a> Tensor<'a> {
    /// Reads the tensor from its table.
    pub(super) fn read(
        index: usize,
        table: Table<'a>,
        buffers: Tables<'a>,
    ) -> Result<Self, OutOfFile> {
        let vectors = |table: Table<'a>| {
            let scales = table.vector(2)?.iter().map(|scale| f32::from_le_bytes(*scale)).collect();
            let zero_points = table.vector(3)?.iter().map(|z| i64::from_le_bytes(*z)).collect();
            Ok((scales, zero_points, table.u32(6)?))
        };
        let (scales, zero_points, dimension) =
            table.table(4)?.map(vectors).transpose()?.unwrap_or_default();
        Ok(Tensor {
            index,
            name: table.text(3)?,
            shape: table.i32s(0)?,
            kind: Type::new(table.u8(1)?),
            scales,
            zero_points,
            dimension,
            sparse: table.table(6)?.is_some(),
            signature: table.i32s(7)?,
            buffer: buffers.get(table.u32(2)? as usize)?,
        })
    }

    /// Returns the error for this tensor.
    pub(super) fn refuse(&self, problem: TensorProblem) -> ImportError {
        ImportError::Tensor { index: self.index, name: self.name.clone(), problem }
    }

    /// Returns the number of elements of an activation, at most [`MAX_WIDTH`].
    pub(super) fn elements(&self) -> Result<usize, ImportError> {
        let product = self.shape.iter().try_fold(1usize, |product, dimension| {
            product.checked_mul(usize::try_from(*dimension).ok()?)
        });
        product.filter(|elements| (1..=MAX_WIDTH).contains(elements)).ok_or_else(|| {
            self.refuse(TensorProblem::Shape { shape: self.shape.clone(), limit: MAX_WIDTH })
        })
    }

    /// Returns whether the shape is that of this number of elements, in a batch of 1.
    pub(super) fn fits(&self, elements: usize) -> bool {
        let is_free = self.signature.iter().any(|size| *size < 0);
        let shape = if is_free { &self.signature } else { &self.shape };
        let known = shape.iter().filter_map(|size| usize::try_from(*size).ok());
        let known = known.fold(1usize, usize::saturating_mul);
        match shape.iter().skip(1).all(|size| *size >= 0) {
            // The batch alone may be free, and is 1.
            true => known == elements,
            false => known > 0 && elements.is_multiple_of(known),
        }
    }

    /// Returns the scale of a tensor with one scale.
    pub(super) fn scale(&self) -> Result<f32, ImportError> {
        let [scale] = self.scales[..] else { return Err(self.wrong_scales("one")) };
        check_scale(scale).ok_or_else(|| self.refuse(TensorProblem::Scale(scale)))
    }

    /// Returns the zero point of a tensor with one zero point.
    pub(super) fn zero_point(&self) -> Result<i64, ImportError> {
        match self.zero_points[..] {
            [zero_point] => Ok(zero_point),
            _ => Err(self.wrong_scales("one")),
        }
    }

    /// Returns the quantization of an int8 or int16 activation.
    pub(super) fn quantized(&self) -> Result<Quantization, ImportError> {
        if self.kind != Type::INT16 {
            return self.int8();
        }
        match self.zero_point()? {
            0 => Ok(Quantization::int16(self.scale()?)),
            zero_point => Err(self.refuse(TensorProblem::ZeroPointInt16(zero_point))),
        }
    }

    /// Returns the quantization of an int8 activation.
    pub(super) fn int8(&self) -> Result<Quantization, ImportError> {
        if self.kind != Type::INT8 {
            return Err(self.refuse(TensorProblem::NotInt8 { found: self.kind.name() }));
        }
        let zero_point = self.zero_point()?;
        match i8::try_from(zero_point) {
            Ok(zero_point) => Ok(Quantization::int8(self.scale()?, zero_point.into())),
            Err(_) => Err(self.refuse(TensorProblem::ZeroPoint(zero_point))),
        }
    }

    /// Returns the scales of int8 weights, one per tensor or one per row.
    pub(super) fn weight_scales(&self, rows: usize) -> Result<&[f32], ImportError> {
        if self.kind != Type::INT8 {
            return Err(self.refuse(TensorProblem::NotInt8 { found: self.kind.name() }));
        }
        let scales = self.scales.len();
        if scales != self.zero_points.len() || (scales != 1 && scales != rows) {
            return Err(self.wrong_scales(&format!("one, or {rows} for as many rows,")));
        }
        if let Some(&scale) = self.scales.iter().find(|scale| check_scale(**scale).is_none()) {
            return Err(self.refuse(TensorProblem::Scale(scale)));
        }
        match self.zero_points.iter().position(|zero_point| *zero_point != 0) {
            Some(0) if scales == 1 && i8::try_from(self.zero_points[0]).is_ok() => Ok(&self.scales),
            None => Ok(&self.scales),
            Some(row) => {
                let zero_point = self.zero_points[row];
                Err(self.refuse(TensorProblem::WeightZeroPoint { row, zero_point }))
            }
        }
    }

    /// Returns the zero point of weights with one scale.
    pub(super) fn weight_zero_point(&self) -> i32 {
        self.zero_points.first().and_then(|zero| i8::try_from(*zero).ok()).map_or(0, i32::from)
    }

    /// Returns the values of an int8 constant.
    pub(super) fn int8_values(&self) -> Result<Vec<i8>, ImportError> {
        let values = self.data::<1>(self.constant_elements()?)?;
        Ok(values.iter().map(|byte| i8::from_le_bytes(*byte)).collect())
    }

    /// Returns the real numbers of a quantized constant.
    pub(super) fn reals(&self) -> Result<Vec<f64>, ImportError> {
        let Quantization { scale, zero_point, .. } = self.quantized()?;
        let real = |q: i32| f64::from(scale) * f64::from(q - zero_point);
        if self.kind == Type::INT16 {
            let values = self.data::<2>(self.constant_elements()?)?;
            return Ok(values.iter().map(|b| real(i16::from_le_bytes(*b).into())).collect());
        }
        Ok(self.int8_values()?.iter().map(|q| real((*q).into())).collect())
    }

    /// Returns the number of elements of a constant, 1 for a scalar.
    fn constant_elements(&self) -> Result<usize, ImportError> {
        match self.shape.is_empty() {
            true => Ok(1),
            false => self.elements(),
        }
    }

    fn wrong_scales(&self, needed: &str) -> ImportError {
        let (scales, zero_points) = (self.scales.len(), self.zero_points.len());
        self.refuse(match scales {
            0 => TensorProblem::NoQuantization,
            _ => TensorProblem::Scales { scales, zero_points, needed: needed.into() },
        })
    }

    /// Returns the data of a constant with this number of elements of N bytes.
    pub(super) fn data<const N: usize>(
        &self,
        elements: usize,
    ) -> Result<&'a [[u8; N]], ImportError> {
        if self.sparse {
            return Err(self.refuse(TensorProblem::Storage("in TensorFlow Lite's sparse code")));
        }
        let what = || format!("the data of tensor {}", self.index);
        let (bytes, outside) = self.stored().map_err(|error| damaged(what())(error))?;
        // Offsets 0 and 1 mean that the data is inside.
        if outside > 1 {
            return Err(self.refuse(TensorProblem::Storage("outside of the flatbuffer")));
        }
        let needed = elements.saturating_mul(N);
        if bytes.len() != needed {
            let (found, shape) = (bytes.len(), self.shape.clone());
            return Err(self.refuse(TensorProblem::Data { found, needed, shape }));
        }
        Ok(bytes.as_chunks().0)
    }

    /// Returns the bytes in the file, and the position of those outside of the flatbuffer.
    pub(super) fn stored(&self) -> Result<(&'a [u8], u64), OutOfFile> {
        let Some(buffer) = self.buffer else { return Ok((&[][..], 0)) };
        Ok((buffer.bytes(0)?, buffer.u64(1)?))
    }

    /// Returns whether the file has its values.
    pub(super) fn is_constant(&self) -> bool {
        self.stored().is_ok_and(|(bytes, _)| !bytes.is_empty())
    }

    /// Returns the name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the zero points.
    pub(super) fn zero_points(&self) -> &[i64] {
        &self.zero_points
    }

    /// Formats type and quantization for messages.
    pub(super) fn describe(&self) -> String {
        match (&self.scales[..], &self.zero_points[..]) {
            ([scale], [zero_point]) => {
                format!("{} of scale {scale:e} and zero point {zero_point}", self.kind.name())
            }
            _ => self.kind.name(),
        }
    }
}

/// Returns a scale if it is valid.
fn check_scale(scale: f32) -> Option<f32> {
    (scale.is_normal() && scale > 0.0).then_some(scale)
}
