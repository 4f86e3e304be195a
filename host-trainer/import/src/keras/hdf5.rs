//! Weights of Keras models in HDF5.

use std::sync::Arc;

use hdf5_reader::group::Group;
use hdf5_reader::messages::datatype::Datatype;
use hdf5_reader::storage::DynStorage;
use hdf5_reader::{
    ByteOrder, Dataset, ExternalFileResolver, ExternalLinkResolver, Hdf5File, OpenOptions,
};
use thimble_support::foreign_text::shown;

use crate::error::{Error, Result};
use crate::most_unpacked;
use crate::tensor::{NumberType, Tensor, elements};

/// Largest HDF5 chunk that is decoded.
const MAX_CHUNK: usize = 64 << 20;
/// Largest object header.
const MAX_HEADER: usize = 16 << 20;
/// Largest number of parts of a long attribute.
const MAX_PARTS: usize = 1000;

/// Naming of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `layers/dense_1/vars/0`: class and place of the layer, and place of the variable.
    ByPlace,
    /// `model_weights/LAYER/…/LAYER/kernel`.
    ByName,
}

/// An HDF5 file with weights.
pub(super) struct Weights {
    file: Hdf5File,
    naming: Naming,
    /// Maximum number of bytes of a dataset.
    most: u64,
}

impl Weights {
    /// Opens the file. Links to other files are not followed.
    pub(super) fn open(file: &[u8], naming: Naming) -> Result<Self> {
        let options = OpenOptions {
            chunk_cache_bytes: 0,
            max_chunk_bytes: MAX_CHUNK,
            max_read_bytes: crate::MAX_FILE as usize,
            max_object_header_bytes: MAX_HEADER,
            external_link_resolver: Some(Arc::new(Refuse)),
            external_file_resolver: Some(Arc::new(Refuse)),
            ..OpenOptions::default()
        };
        let most = most_unpacked(file.len() as u64);
        let file = Hdf5File::from_bytes_with_options(file, options);
        Ok(Weights { file: file.map_err(|error| Error::damaged("HDF5", error))?, naming, most })
    }

    /// Reads a text attribute of the root.
    pub(super) fn attribute(&self, name: &str) -> Result<Option<String>> {
        let root = self.file.root_group().map_err(|error| Error::damaged("HDF5", error))?;
        let attributes = root.attributes().map_err(|error| Error::damaged("HDF5", error))?;
        let found = attributes.iter().find(|attribute| attribute.name == name);
        let text = |attribute: &hdf5_reader::Attribute| {
            attribute.read_string().map_err(|error| Error::damaged(name, error))
        };
        found.map(text).transpose()
    }

    /// Reads the variables of a layer, as many as there are of these names, in this order.
    ///
    /// `paths` leads to the layer, by Keras 3's groups of class and place, and by the layers' names.
    pub(super) fn variables(
        &self,
        paths: [&Vec<String>; 2],
        names: &[&str],
    ) -> Result<Vec<Tensor>> {
        match self.naming {
            Naming::ByPlace => self.by_place(paths[0], names),
            Naming::ByName => self.by_name(paths[1], names),
        }
    }

    fn by_place(&self, path: &[String], names: &[&str]) -> Result<Vec<Tensor>> {
        let group: Vec<String> =
            path.iter().flat_map(|part| ["layers".to_string(), part.clone()]).collect();
        let group = group.join("/") + "/vars";
        let read = |index: usize| {
            let path = format!("{group}/{index}");
            let dataset = self.file.dataset(&path).map_err(|error| Error::damaged(&path, error))?;
            self.tensor(&path, &dataset)
        };
        let found = self.file.group(&group).map_err(|error| Error::damaged(&group, error))?;
        let members = found.member_names().map_err(|error| Error::damaged(&group, error))?;
        if members.1.len() != names.len() {
            let problem = format!(
                "it has {} variables, but {} are needed: {}",
                members.1.len(),
                names.len(),
                names.join(", ")
            );
            return Err(Error::place(group, problem));
        }
        (0..names.len()).map(read).collect()
    }

    fn by_name(&self, path: &[String], names: &[&str]) -> Result<Vec<Tensor>> {
        let (Some(first), Some(last)) = (path.first(), path.last()) else { return Ok(Vec::new()) };
        let group_path = format!("model_weights/{first}");
        let damaged = |error| Error::damaged(&group_path, error);
        let group = self.file.group(&group_path).map_err(damaged)?;
        let stored = strings(&group, &group_path, "weight_names")?;
        let find = |name: &&str| {
            let fits = |stored: &&String| {
                let mut parts = stored.rsplit('/');
                let variable = parts.next().unwrap_or_default();
                let variable = variable.split_once(':').map_or(variable, |(plain, _)| plain);
                let owner = parts.next();
                // A layer's own group needs no name; one of a nested model does.
                variable == *name && (path.len() == 1 || owner == Some(last.as_str()))
            };
            let mut found = stored.iter().filter(fits);
            match (found.next(), found.next()) {
                (Some(one), None) => Ok(one.clone()),
                (found, _) => {
                    let problem = match found {
                        None => format!("it has no `{name}` of layer `{last}`"),
                        Some(_) => format!("it has `{name}` of layer `{last}` twice"),
                    };
                    Err(Error::place(&group_path, problem))
                }
            }
        };
        let read = |name: &&str| {
            let name = find(name)?;
            let place = format!("{group_path}/{name}");
            let dataset = self.file.dataset(&place).map_err(|error| Error::damaged(&place, error));
            self.tensor(&place, &dataset?)
        };
        names.iter().map(read).collect()
    }

    /// Reads a dataset, unless it is far larger than the file, such as one that was never written.
    fn tensor(&self, place: &str, dataset: &Dataset) -> Result<Tensor> {
        let size = |size: &u64| usize::try_from(*size).unwrap_or(usize::MAX);
        let shape: Vec<usize> = dataset.shape().iter().map(size).collect();
        let kind = number_type(place, dataset)?;
        let bytes = (elements(place, &shape)? as u64).saturating_mul(kind.bytes() as u64);
        if bytes > self.most {
            let problem = format!(
                "its shape {shape:?} takes {bytes} bytes, and {} are the maximum in a file of this \
                 size",
                self.most
            );
            return Err(Error::damaged(place, problem));
        }
        let bytes = dataset.read_raw_bytes().map_err(|error| Error::damaged(place, error))?;
        Tensor::decode(place, shape, kind, &bytes)
    }
}

/// Refusal of other files.
#[derive(Debug)]
struct Refuse;

impl Refuse {
    fn error<T>(name: &str) -> hdf5_reader::error::Result<T> {
        let problem = format!("it is in another file, `{}`, which is not read", shown(name));
        Err(hdf5_reader::error::Error::Io(std::io::Error::other(problem)))
    }
}

impl ExternalLinkResolver for Refuse {
    fn resolve_external_link(&self, name: &str) -> hdf5_reader::error::Result<Option<Hdf5File>> {
        Refuse::error(name)
    }
}

impl ExternalFileResolver for Refuse {
    fn resolve_external_file(&self, name: &str) -> hdf5_reader::error::Result<Option<DynStorage>> {
        Refuse::error(name)
    }
}

/// Reads an attribute with a list of texts, which Keras splits if it is long.
fn strings(group: &Group, place: &str, name: &str) -> Result<Vec<String>> {
    let attributes = group.attributes().map_err(|error| Error::damaged(place, error))?;
    let list = |name: &str| {
        let found = attributes.iter().find(|attribute| attribute.name == name)?;
        // An empty list is one of numbers.
        Some(match found.num_elements() {
            Ok(0) => Ok(Vec::new()),
            _ => found.read_strings().map_err(|error| Error::damaged(place, error)),
        })
    };
    if let Some(whole) = list(name) {
        return whole;
    }
    let mut all = Vec::new();
    for part in 0..MAX_PARTS {
        match list(&format!("{name}{part}")) {
            Some(names) => all.extend(names?),
            None if part == 0 => {
                return Err(Error::damaged(place, format!("the attribute {name} is missing")));
            }
            None => break,
        }
    }
    Ok(all)
}

fn number_type(place: &str, dataset: &Dataset) -> Result<NumberType> {
    let little = |order: &ByteOrder| *order == ByteOrder::LittleEndian;
    Ok(match dataset.dtype() {
        Datatype::FloatingPoint { size: 8, byte_order } if little(byte_order) => NumberType::F64,
        Datatype::FloatingPoint { size: 4, byte_order } if little(byte_order) => NumberType::F32,
        Datatype::FloatingPoint { size: 2, byte_order } if little(byte_order) => NumberType::F16,
        Datatype::FixedPoint { size: 8, signed: true, byte_order } if little(byte_order) => {
            NumberType::I64
        }
        Datatype::FixedPoint { size: 4, signed: true, byte_order } if little(byte_order) => {
            NumberType::I32
        }
        Datatype::FixedPoint { size: 1, signed: true, .. } => {
            return Err(Error::place(
                place,
                "the weights are int8: the model was quantized with `model.quantize`. Import the \
                 float model, which is quantized here",
            ));
        }
        Datatype::Opaque { size: 2, .. } if is_bfloat16(dataset) => NumberType::Bf16,
        other => {
            let problem = format!(
                "numbers of type {other:?} are not supported. Save the model with float32 weights"
            );
            return Err(Error::place(place, problem));
        }
    })
}

fn is_bfloat16(dataset: &Dataset) -> bool {
    let text = dataset.attribute("dtype").ok().and_then(|attribute| attribute.read_string().ok());
    text.is_some_and(|text| text == "bfloat16")
}
