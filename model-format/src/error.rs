//! Errors of parsing: the field that is wrong, and its location.

use core::fmt;

/// Error of parsing or encoding a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes do not begin with the magic of a model file.
    Magic,
    /// The file is of a format version that this build does not read.
    Version {
        /// The version that the file states.
        found: u32,
    },
    /// The file is shorter than its header.
    HeaderLength {
        /// Bytes there are.
        actual: usize,
    },
    /// The file is not as long as its header states.
    Length {
        /// Bytes that the header states, its own included.
        stated: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// The CRC-32 of the file is not the one that its header states.
    Checksum {
        /// CRC-32 in the header.
        stated: u32,
        /// CRC-32 of the bytes.
        computed: u32,
    },
    /// A field cannot be taken.
    Field {
        /// The part of the model that the field belongs to.
        place: Location,
        /// The field.
        field: Field,
        /// Its error.
        problem: FieldError,
    },
    /// A row's parameter cannot be taken.
    Row {
        /// The layer, counted from 0.
        layer: u8,
        /// The output row, counted from 0.
        row: u16,
        /// Weight, multiplier or shift.
        field: Field,
        /// Its error.
        problem: FieldError,
    },
    /// A row's accumulator could overflow 32 bits for some input.
    Overflow {
        /// The layer, counted from 0.
        layer: u8,
        /// The output row, counted from 0.
        row: u16,
        /// The largest magnitude that the accumulator can reach.
        bound: u64,
        /// The limit that it must stay below: 2³¹, halved as often as the row's multiplier shifts
        /// left.
        limit: u32,
    },
    /// A multiplier that no row can have: not a number, negative, or 2³⁰ and more.
    Multiplier,
}

/// A part of the model file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// The model as a whole.
    Model,
    /// The description of the input.
    Input,
    /// The channel of this index of what the input is made from.
    Channel(u16),
    /// The description of the output.
    Output,
    /// The output of this index.
    OutputValue(u16),
    /// The class label of this index.
    Label(u16),
    /// The description of the feature of this index.
    Feature(u16),
    /// The layer of this index, counted from 0.
    Layer(u8),
    /// The self-test of this index, counted from 0.
    SelfTest(u8),
}

/// A field of the model file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// Name of the model.
    Name,
    /// Number of dimensions.
    Dimensions,
    /// One dimension of the shape.
    Dimension,
    /// The integers of a tensor.
    DataType,
    /// Scale of a tensor.
    Scale,
    /// Zero point of a tensor.
    ZeroPoint,
    /// Conversion of raw bytes to quantized input.
    Encoding,
    /// The channels of a sensor.
    Channels,
    /// Zero of a channel or of an output.
    Offset,
    /// Input values per unit of a feature.
    Factor,
    /// Threshold between two classes.
    Threshold,
    /// Scale and offset of each output.
    ValueScales,
    /// Names, units and the preparation of images.
    Details,
    /// Number of features that are described.
    FeatureCount,
    /// Number of outputs that are described.
    OutputCount,
    /// Share of training rows that the range of a feature clips.
    ClippedShare,
    /// Preparation of images.
    Preparation,
    /// Kind of the outputs.
    OutputKind,
    /// Text of a label or a unit.
    Text,
    /// Number of labels.
    LabelCount,
    /// Number of layers.
    LayerCount,
    /// Operator of a layer.
    Operator,
    /// Inputs of a layer.
    Inputs,
    /// Outputs of a layer.
    Outputs,
    /// Layout of a layer's weights.
    WeightLayout,
    /// Lower clamp bound.
    ClampLow,
    /// Upper clamp bound.
    ClampHigh,
    /// Bytes that put the parameters on a 4-byte boundary.
    Padding,
    /// Biases, multipliers, weights and shifts of a layer.
    Parameters,
    /// A weight.
    Weight,
    /// A weight beyond the layer's inputs, which fills its row to a multiple of four.
    WeightPadding,
    /// A bias with the zero point of the input folded into it.
    FoldedBias,
    /// Start of the blocks of a row of a sparse layer.
    BlockStart,
    /// The number of a block of a sparse layer.
    BlockNumber,
    /// A Q31 multiplier.
    Multiplier,
    /// A shift.
    Shift,
    /// The entries of an element-wise function.
    Table,
    /// The exponentials of a softmax.
    Exponentials,
    /// Number of self-tests.
    SelfTestCount,
    /// Input of a self-test.
    TestInput,
    /// Expected output of a self-test.
    TestOutput,
    /// The end of the payload.
    End,
}

/// Error of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldError {
    /// The payload ends inside it, or its encoding is not valid.
    Malformed,
    /// Its value is one that this version of the format does not define or this build lacks.
    Unknown(u32),
    /// Its value is one that was [left out](crate::Capabilities) of this build.
    LeftOut(u32),
    /// Its value lies outside the range that the format allows.
    OutOfRange(i32),
    /// It is larger than this build's limit.
    TooLarge {
        /// The value in the file.
        value: u32,
        /// The limit of this build.
        limit: u32,
    },
    /// It is not what the fields before it ask for.
    Mismatch {
        /// The value that they ask for.
        expected: u32,
        /// The value in the file.
        found: u32,
    },
    /// A scale that is not a positive, normal number (its bits).
    NotPositive(u32),
    /// It is infinite or no number (its bits).
    NotFinite(u32),
    /// It is defined for int8 inputs, and the input is int16.
    NeedsInt8,
    /// Bytes that must be zero are not.
    NotZero,
    /// It does not lie on a 4-byte boundary of the file.
    Unaligned,
    /// Bytes follow the last field.
    Trailing(u32),
}

impl core::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::Magic => {
                f.write_str("not a Thimble model: the file does not begin with \"THMB\"")
            }
            Error::Version { found } => write!(
                f,
                "format version {found} is not known to this build, which reads version {}: \
                 update the program that reads, or export the model again",
                crate::VERSION
            ),
            Error::HeaderLength { actual } => write!(
                f,
                "the file is cut off: {actual} bytes, and the header alone has {}",
                crate::HEADER_LEN
            ),
            Error::Length { stated, actual } if actual < stated => {
                write!(
                    f,
                    "the file is cut off: its header states {stated} bytes, {actual} are there"
                )
            }
            Error::Length { stated, actual } => write!(
                f,
                "the file is too long: its header states {stated} bytes, {actual} are there"
            ),
            Error::Checksum { stated, computed } => write!(
                f,
                "the file is damaged: its CRC-32 is {computed:08x}, its header states {stated:08x}"
            ),
            Error::Field { place, field, problem } => write!(f, "{place}{field}: {problem}"),
            Error::Row { layer, row, field, problem } => {
                write!(f, "layer {layer}, row {row}, {field}: {problem}")
            }
            Error::Overflow { layer, row, bound, limit } => write!(
                f,
                "layer {layer}, row {row}: the accumulator can reach {bound}, and must stay below \
                 {limit}: narrow the input range or shrink the row's weights and bias"
            ),
            Error::Multiplier => f.write_str("a multiplier must be a number from 0 to below 2^30"),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Model => Ok(()),
            Location::Input => f.write_str("input, "),
            Location::Channel(index) => write!(f, "input channel {index}, "),
            Location::Output => f.write_str("output, "),
            Location::OutputValue(index) => write!(f, "output {index}, "),
            Location::Label(index) => write!(f, "label {index}, "),
            Location::Feature(index) => write!(f, "feature {index}, "),
            Location::Layer(index) => write!(f, "layer {index}, "),
            Location::SelfTest(index) => write!(f, "self-test {index}, "),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Name => "name",
            Field::Dimensions => "number of dimensions",
            Field::Dimension => "dimension",
            Field::DataType => "data type",
            Field::Scale => "scale",
            Field::ZeroPoint => "zero point",
            Field::Encoding => "encoding",
            Field::Channels => "channels",
            Field::Offset => "offset",
            Field::Factor => "factor",
            Field::Threshold => "threshold",
            Field::ValueScales => "scales of outputs",
            Field::Details => "details",
            Field::FeatureCount => "number of features",
            Field::OutputCount => "number of outputs",
            Field::ClippedShare => "clipped share",
            Field::Preparation => "preparation of images",
            Field::OutputKind => "output kind",
            Field::Text => "text",
            Field::LabelCount => "number of labels",
            Field::LayerCount => "number of layers",
            Field::Operator => "operator",
            Field::Inputs => "inputs",
            Field::Outputs => "outputs",
            Field::WeightLayout => "weight layout",
            Field::ClampLow => "lower clamp bound",
            Field::ClampHigh => "upper clamp bound",
            Field::Padding => "padding",
            Field::Parameters => "parameters",
            Field::Weight => "weight",
            Field::WeightPadding => "weight padding",
            Field::FoldedBias => "folded bias",
            Field::BlockStart => "start of the blocks",
            Field::BlockNumber => "block number",
            Field::Multiplier => "multiplier",
            Field::Shift => "shift",
            Field::Table => "table",
            Field::Exponentials => "exponentials",
            Field::SelfTestCount => "number of self-tests",
            Field::TestInput => "input vector",
            Field::TestOutput => "expected output",
            Field::End => "end of the model",
        })
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldError::Malformed => f.write_str("cut off or malformed"),
            FieldError::Unknown(value) => write!(f, "code {value} is not supported by this build"),
            FieldError::LeftOut(value) => write!(f, "code {value} was left out of this build"),
            FieldError::OutOfRange(value) => write!(f, "{value} is out of range"),
            FieldError::TooLarge { value, limit } => {
                write!(f, "{value} is more than this build takes ({limit})")
            }
            FieldError::Mismatch { expected, found } => {
                write!(f, "{found} where {expected} is needed")
            }
            FieldError::NotPositive(bits) => {
                write!(f, "{:e} is not a positive number", f32::from_bits(*bits))
            }
            FieldError::NotFinite(bits) => {
                write!(f, "it is not a finite number (bits {bits:08x})")
            }
            FieldError::NeedsInt8 => f.write_str("needs an int8 input, and gets int16"),
            FieldError::NotZero => f.write_str("must be zero"),
            FieldError::Unaligned => f.write_str("not on a 4-byte boundary of the file"),
            FieldError::Trailing(bytes) => write!(f, "{bytes} more bytes follow"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_place_and_the_remedy() {
        let overflow = Error::Overflow { layer: 2, row: 17, bound: 1 << 31, limit: 1 << 31 };
        assert_eq!(
            overflow.to_string(),
            "layer 2, row 17: the accumulator can reach 2147483648, and must stay below \
             2147483648: narrow the input range or shrink the row's weights and bias"
        );
        let field = Error::Field {
            place: Location::Layer(1),
            field: Field::Inputs,
            problem: FieldError::Mismatch { expected: 32, found: 31 },
        };
        assert_eq!(field.to_string(), "layer 1, inputs: 31 where 32 is needed");
    }
}
