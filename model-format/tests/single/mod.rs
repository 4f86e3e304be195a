//! Models of one dense layer, and files whose parameters were changed.

use crc::{CRC_32_ISO_HDLC, Crc};
use model_format::build::{DenseSpec, DetailsSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
use model_format::{
    Clamp, Dense, Encoding, Error, HEADER_LEN, Layer, Model, Multiplier, Quantization,
    WeightLayout, WeightType,
};

/// Inputs and outputs: less than a tile and a block, whole ones, and some beside them.
pub const SIZES: [(usize, usize); 6] = [(1, 1), (3, 2), (4, 4), (8, 8), (9, 9), (17, 13)];

/// A layer of random weights, some blocks of which are zero, between the zero points 3 and 0.
pub fn model(layout: WeightLayout, inputs: usize, outputs: usize) -> ModelSpec {
    let mut state = 1u32;
    let mut below = move |limit: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % limit
    };
    let weight_type = layout.weight_type();
    let most = u32::from(weight_type.max_weight().unsigned_abs());
    let mut weights = Vec::new();
    for row in 0..outputs {
        for block in 0..inputs.div_ceil(4) {
            let is_zero = row != 1 && (block + row) % 3 == 2 || row == 1 && outputs > 2;
            let in_block = (inputs - 4 * block).min(4);
            weights.extend((0..in_block).map(|_| match (is_zero, weight_type) {
                (_, WeightType::Int2) => 2 * below(4) as i8 - 3,
                (true, _) => 0,
                (false, _) => (below(2 * most + 1) as i32 - most as i32) as i8,
            }));
        }
    }
    ModelSpec {
        name: "single".into(),
        input: InputSpec {
            shape: vec![inputs],
            quantization: Quantization::int8(1.0, 3),
            encoding: Encoding::Quantized,
        },
        output: OutputSpec::Values(vec![]),
        layers: vec![LayerSpec::Dense(DenseSpec {
            inputs,
            outputs,
            weights,
            biases: (0..outputs).map(|_| below(2001) as i32 - 1000).collect(),
            multipliers: (0..outputs)
                .map(|row| Multiplier {
                    mantissa: (1 << 30) + 1 + row as i32,
                    shift: -(row as i8 % 5),
                })
                .collect(),
            output: Quantization::int8(1.0, 0),
            clamp: Clamp::INT8,
            layout,
        })],
        self_tests: vec![],
        details: DetailsSpec::default(),
    }
}

/// The only layer.
pub fn layer<'a>(model: &Model<'a>) -> Dense<'a> {
    match model.layers().next() {
        Some(Layer::Dense(dense)) => dense,
        other => panic!("{other:?}"),
    }
}

/// Offset of the parameters in the file.
pub fn parameters_at(file: &[u8]) -> usize {
    let model = Model::parse(file).unwrap();
    let dense = layer(&model);
    let weights = dense.weight_bytes().as_ptr() as usize - file.as_ptr() as usize;
    let per_row = match (dense.is_compact, dense.layout.is_folded()) {
        (true, _) => 4,
        (false, false) => 8,
        (false, true) => 12,
    };
    weights - per_row * dense.outputs()
}

/// Offset, in the parameters, of the first byte that holds a weight.
pub fn weights_at(layout: WeightLayout, inputs: usize, outputs: usize) -> usize {
    let file = model(layout, inputs, outputs).to_bytes().unwrap();
    let parsed = Model::parse(&file).unwrap();
    let bytes = layer(&parsed).weight_bytes();
    let start = match layer(&parsed).sparse_row(0).next() {
        Some((_, block)) => block.as_ptr(),
        None => bytes.as_ptr(),
    };
    start as usize - file.as_ptr() as usize - parameters_at(&file)
}

/// The file with its parameters changed, and a checksum that is right again.
pub fn patched(file: &[u8], edit: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let start = parameters_at(file);
    let len = layer(&Model::parse(file).unwrap()).flash_len();
    let mut changed = file.to_vec();
    edit(&mut changed[start..start + len]);
    sealed(changed)
}

/// Why a model whose parameters were changed is refused.
pub fn corrupted(
    layout: WeightLayout,
    inputs: usize,
    outputs: usize,
    edit: impl FnOnce(&mut [u8]),
) -> Error {
    let file = model(layout, inputs, outputs).to_bytes().unwrap();
    Model::parse(&patched(&file, edit)).expect_err("it is refused")
}

/// A file whose header states its length and checksum.
pub fn sealed(mut file: Vec<u8>) -> Vec<u8> {
    let payload_len = (file.len() - HEADER_LEN) as u32;
    file[8..12].copy_from_slice(&payload_len.to_le_bytes());
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    digest.update(&file[..12]);
    digest.update(&file[HEADER_LEN..]);
    let checksum = digest.finalize();
    file[12..16].copy_from_slice(&checksum.to_le_bytes());
    file
}
