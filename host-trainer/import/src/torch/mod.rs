//! State dicts of PyTorch: safetensors, `.pt` and `.pth`.

mod layers;
mod names;

use std::collections::HashMap;
use std::io::Write;

use pytorch_reader::{DType, PytorchReader};
use safetensors::SafeTensors;
use thimble_support::foreign_text::shown;

use crate::MAX_FILE;
use crate::error::{Error, Result};
use crate::float_network::FloatNetwork;
use crate::tensor::{NumberType, Tensor};

/// Tensors by their names.
pub(crate) type StateDict = HashMap<String, Tensor>;

/// Keys under which training scripts store the state dict, and wrappers of modules.
const OUTER: [&str; 7] = [
    "model_state_dict.",
    "state_dict.",
    "model_state.",
    "model.",
    "module.",
    "_orig_mod.",
    "net_g.",
];

/// Reads a safetensors file.
pub(crate) fn read_safetensors(file: &[u8], layers: Option<&str>) -> Result<FloatNetwork> {
    let tensors = SafeTensors::deserialize(file)
        .map_err(|error| Error::damaged("the safetensors file", error))?;
    let mut all = StateDict::new();
    for (name, view) in tensors.iter() {
        let place = format!("tensor `{}`", shown(name));
        let kind = safetensors_type(view.dtype()).ok_or_else(|| {
            let problem = format!("numbers of type {:?} are not supported", view.dtype());
            Error::place(&place, problem)
        })?;
        let tensor = Tensor::decode(&place, view.shape().to_vec(), kind, view.data())?;
        all.insert(name.to_string(), tensor);
    }
    layers::network("PyTorch state dict (safetensors)", all, layers)
}

fn safetensors_type(kind: safetensors::Dtype) -> Option<NumberType> {
    use safetensors::Dtype;
    Some(match kind {
        Dtype::F64 => NumberType::F64,
        Dtype::F32 => NumberType::F32,
        Dtype::F16 => NumberType::F16,
        Dtype::BF16 => NumberType::Bf16,
        Dtype::I64 => NumberType::I64,
        Dtype::I32 => NumberType::I32,
        Dtype::I16 => NumberType::I16,
        Dtype::I8 => NumberType::I8,
        Dtype::U8 | Dtype::BOOL => NumberType::U8,
        _ => return None,
    })
}

/// Reads a `.pt` file. Its pickle is parsed for tensors, and no code of it is run.
pub(crate) fn read_checkpoint(file: &[u8], layers: Option<&str>) -> Result<FloatNetwork> {
    // The reader seeks for each tensor, and takes a path only.
    let failed = |error: std::io::Error| Error::Read(format!("a temporary copy: {error}"));
    let mut copy = tempfile::NamedTempFile::new().map_err(failed)?;
    copy.write_all(file).map_err(failed)?;
    let reader = PytorchReader::new(copy.path()).map_err(|error| {
        let text = shown(&error.to_string());
        match text.contains("TorchScript") {
            true => Error::format(
                "a TorchScript program",
                "Export the model with `torch.onnx.export(model, x, \"model.onnx\")`, and import that",
            ),
            false => Error::place(
                "the PyTorch file",
                format!(
                    "{text}. Save the weights with `torch.save(model.state_dict(), \"model.pt\")`, or \
                     export to ONNX"
                ),
            ),
        }
    })?;
    let mut all = StateDict::new();
    let mut total = 0_u64;
    for (name, tensor) in reader.tensors() {
        let place = format!("tensor `{}`", shown(name));
        // A view can have more elements than the file has bytes.
        total = total.saturating_add(tensor.byte_len() as u64);
        if total > MAX_FILE {
            let problem = format!("the tensors have more than {} MiB, the maximum", MAX_FILE >> 20);
            return Err(Error::place(place, problem));
        }
        let kind = match tensor.dtype() {
            DType::F64 => NumberType::F64,
            DType::F32 => NumberType::F32,
            DType::F16 => NumberType::F16,
            DType::BF16 => NumberType::Bf16,
            DType::I64 => NumberType::I64,
            DType::I32 => NumberType::I32,
            DType::I16 => NumberType::I16,
            DType::I8 => NumberType::I8,
            DType::U8 | DType::Bool => NumberType::U8,
            // Of no weight.
            DType::U64 | DType::U32 | DType::U16 => continue,
        };
        let bytes = tensor.read().map_err(|error| Error::damaged(&place, error))?;
        let tensor = Tensor::decode(&place, tensor.shape().to_vec(), kind, &bytes)?;
        all.insert(name.clone(), tensor);
    }
    layers::network("PyTorch state dict", all, layers)
}

/// Removes the keys under which a state dict is stored, such as `module.`.
fn inner(mut all: StateDict) -> StateDict {
    loop {
        // An optimizer beside the state dict is not part of it.
        let outer = OUTER.iter().find(|outer| {
            let inside = |name: &&String| name.starts_with(**outer) && name.ends_with(".weight");
            let outside = all.keys().filter(|name| name.ends_with(".weight"));
            outside.clone().any(|name| inside(&name)) && outside.clone().all(|name| inside(&name))
        });
        let Some(outer) = outer else { return all };
        let strip = |(name, tensor): (String, Tensor)| {
            name.strip_prefix(outer).map(|inner| (inner.to_string(), tensor))
        };
        all = all.into_iter().filter_map(strip).collect();
    }
}
