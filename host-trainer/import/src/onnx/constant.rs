//! Constant tensors of ONNX models, inside of the file and beside it.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use thimble_support::foreign_text::shown;

use super::proto::TensorProto;
use crate::error::{Error, Result};
use crate::tensor::{NumberType, Tensor, elements};

/// `data_location` of tensors in another file.
const EXTERNAL: i32 = 1;

/// Reads a constant.
pub(super) fn constant(proto: &TensorProto, folder: Option<&Path>) -> Result<Tensor> {
    let place = format!("tensor `{}`", shown(&proto.name));
    let size = |size: &i64| {
        usize::try_from(*size).map_err(|_| {
            let problem = format!("its shape {:?} has a negative dimension", proto.dims);
            Error::place(&place, problem)
        })
    };
    let shape: Vec<usize> = proto.dims.iter().map(size).collect::<Result<_>>()?;
    let count = elements(&place, &shape)?;
    let kind = kind(proto.data_type).ok_or_else(|| {
        let name = match proto.data_type {
            4 => " (uint16)",
            8 => " (text)",
            12 => " (uint32)",
            13 => " (uint64)",
            17..=20 => " (8 bits of float)",
            21 => " (uint4)",
            22 => " (int4)",
            _ => "",
        };
        let problem = format!(
            "numbers of ONNX's type {}{name} are not supported. Export in float32, or quantize to 8 bits",
            proto.data_type
        );
        Error::place(&place, problem)
    })?;
    if proto.data_location == EXTERNAL {
        let bytes = external(proto, &place, folder, count * kind.bytes())?;
        return Tensor::decode(&place, shape, kind, &bytes);
    }
    if !proto.raw_data.is_empty() || count == 0 {
        return Tensor::decode(&place, shape, kind, &proto.raw_data);
    }
    let values: Vec<f64> = match kind {
        NumberType::F32 => proto.float_data.iter().map(|number| (*number).into()).collect(),
        NumberType::F64 => proto.double_data.clone(),
        NumberType::I64 => proto.int64_data.iter().map(|number| *number as f64).collect(),
        // 16 bits of a float in each integer.
        NumberType::F16 | NumberType::Bf16 => {
            let bits = proto.int32_data.iter().map(|bits| (*bits as u16).to_le_bytes());
            let bytes: Vec<u8> = bits.flatten().collect();
            return Tensor::decode(&place, shape, kind, &bytes);
        }
        _ => proto.int32_data.iter().map(|number| (*number).into()).collect(),
    };
    if values.len() != count {
        return Err(Error::damaged(place, format!("{} numbers for shape {shape:?}", values.len())));
    }
    Ok(Tensor { shape, values, kind })
}

/// Returns the type of ONNX's code.
fn kind(code: i32) -> Option<NumberType> {
    Some(match code {
        1 => NumberType::F32,
        2 | 9 => NumberType::U8,
        3 => NumberType::I8,
        5 => NumberType::I16,
        6 => NumberType::I32,
        7 => NumberType::I64,
        10 => NumberType::F16,
        11 => NumberType::F64,
        16 => NumberType::Bf16,
        _ => return None,
    })
}

/// Reads the bytes of a tensor from another file of the model's folder.
fn external(
    proto: &TensorProto,
    place: &str,
    folder: Option<&Path>,
    needed: usize,
) -> Result<Vec<u8>> {
    let entry = |key: &str| proto.external_data.iter().find(|entry| entry.key == key);
    let location = entry("location").map(|entry| entry.value.as_str()).unwrap_or_default();
    let refuse = |problem: String| Error::place(place, problem);
    let number = |key: &str, default: u64| match entry(key) {
        None => Ok(default),
        Some(entry) => entry.value.parse::<u64>().map_err(|_| {
            refuse(format!("its external data has the {key} `{}`", shown(&entry.value)))
        }),
    };
    let outside = || {
        refuse(format!(
            "its external data is in `{}`, outside of the model's folder, and is not read. Put it \
             beside the model, and save the model with its name alone",
            shown(location)
        ))
    };
    let relative = Path::new(location);
    if location.is_empty() || !relative.components().all(|c| matches!(c, Component::Normal(_))) {
        return Err(outside());
    }
    let Some(folder) = folder else {
        return Err(refuse(format!("its external data `{}` is missing", shown(location))));
    };
    let failed = |error: std::io::Error| {
        refuse(format!(
            "its external data `{}` cannot be read: {error}. Copy it beside the model",
            shown(location)
        ))
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // A link may lead out, too.
    let path = folder.join(relative).canonicalize().map_err(failed)?;
    if !path.starts_with(folder.canonicalize().map_err(failed)?) {
        return Err(outside());
    }
    let (offset, length) = (number("offset", 0)?, number("length", needed as u64)?);
    if length != needed as u64 {
        return Err(refuse(format!("{length} bytes of external data, but {needed} are needed")));
    }
    let mut file = std::fs::File::open(&path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(refuse(format!(
            "its external data `{}` has {size} bytes, but {length} from {offset} on are needed. The \
             file is cut off",
            shown(location)
        )));
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = vec![0; needed];
    file.read_exact(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::proto::Entry;
    use super::*;

    fn floats(dims: &[i64], data: &[f32]) -> TensorProto {
        TensorProto {
            dims: dims.to_vec(),
            data_type: 1,
            float_data: data.to_vec(),
            ..Default::default()
        }
    }

    #[test]
    fn sizes_are_checked_before_memory_is_taken() {
        assert_eq!(constant(&floats(&[2], &[1.0, 2.5]), None).unwrap().values, [1.0, 2.5]);
        for (proto, word) in [
            (floats(&[3], &[1.0]), "1 numbers"),
            (floats(&[-1], &[1.0]), "negative"),
            (floats(&[1 << 40, 1 << 40], &[]), "the maximum"),
            (TensorProto { data_type: 14, ..floats(&[1], &[1.0]) }, "type 14"),
        ] {
            let message = constant(&proto, None).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn external_data_stays_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("w.bin"), [0, 0, 128, 63, 0, 0, 0, 64]).unwrap();
        std::fs::write(folder.path().join("secret.bin"), [0; 8]).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("../secret.bin", inner.join("link.bin")).unwrap();
        let read = |location: &str, offset: &str| {
            let entry = |key: &str, value: &str| Entry { key: key.into(), value: value.into() };
            let external_data = vec![entry("location", location), entry("offset", offset)];
            let proto = TensorProto { external_data, data_location: EXTERNAL, ..floats(&[1], &[]) };
            constant(&proto, Some(&inner)).map_err(|error| error.to_string())
        };
        assert_eq!(read("w.bin", "4").unwrap().values, [2.0]);
        for (location, offset, word) in [
            ("../secret.bin", "0", "outside"),
            ("/etc/passwd", "0", "outside"),
            ("link.bin", "0", "outside"),
            ("", "0", "outside"),
            ("none.bin", "0", "cannot be read"),
            ("w.bin", "5", "cut off"),
            ("w.bin", "18446744073709551615", "cut off"),
            ("w.bin", "x", "offset"),
        ] {
            let message = read(location, offset).unwrap_err();
            assert!(message.contains(word), "{location}: {message}");
        }
    }
}
