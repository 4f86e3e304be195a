//! Keras models: `.keras` of Keras 2 and 3, `.h5`.

mod config;
mod hdf5;
mod layers;
mod order;

pub(crate) use layers::saved_model;

use std::io::{Cursor, Read};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::float_network::FloatNetwork;
use crate::most_unpacked;
use hdf5::{Naming, Weights};

/// Maximum size of a configuration, whose values take some twenty times as much memory.
const MAX_CONFIG: u64 = 4 << 20;

/// Remedy for files without an architecture.
const SAVE_WHOLE: &str = "Save the whole model in Python with `model.save(\"model.keras\")`, and import \
                          that file";

/// Reads a `.keras` file, a ZIP archive.
pub(crate) fn read_archive(file: &[u8]) -> Result<FloatNetwork> {
    let mut archive = zip::ZipArchive::new(Cursor::new(file))
        .map_err(|error| Error::damaged("the ZIP archive", error))?;
    let mut entry = |name: &str, limit: u64| -> Result<Vec<u8>> {
        let entry = archive.by_name(name).map_err(|error| Error::damaged(name, error))?;
        let mut content = Vec::new();
        // Sizes in the header are only claims.
        let packed = entry.compressed_size().min(file.len() as u64);
        let most = limit.min(most_unpacked(packed));
        let read = entry.take(most + 1).read_to_end(&mut content);
        read.map_err(|error| Error::damaged(name, error))?;
        if content.len() as u64 > most {
            let problem = match most == limit {
                true => format!("it has more than {} MiB, the maximum", limit >> 20),
                false => format!(
                    "its {packed} packed bytes become more than {most}, which is 100 times as many and \
                     1 MiB, the maximum. Save the model again with Keras, which does not pack weights"
                ),
            };
            return Err(Error::place(name, problem));
        }
        Ok(content)
    };
    let config = parse(&entry("config.json", MAX_CONFIG)?, "config.json")?;
    let version = entry("metadata.json", MAX_CONFIG).ok();
    let version = version.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let version = version.and_then(|meta| Some(meta["keras_version"].as_str()?.to_string()));
    let weights = Weights::open(&entry("model.weights.h5", crate::MAX_FILE)?, Naming::ByPlace)?;
    layers::network("Keras model (.keras)", &config, version.as_deref(), &weights)
}

/// Reads an HDF5 file.
pub(crate) fn read_hdf5(file: &[u8]) -> Result<FloatNetwork> {
    let weights = Weights::open(file, Naming::ByName)?;
    let Some(config) = weights.attribute("model_config")? else {
        return Err(Error::format(
            "an HDF5 file without the attribute `model_config`, such as `save_weights` writes: it \
             has weights, but not the layers",
            SAVE_WHOLE,
        ));
    };
    let config = parse(config.as_bytes(), "model_config")?;
    let version = weights.attribute("keras_version")?;
    layers::network("Keras model (.h5)", &config, version.as_deref(), &weights)
}

fn parse(text: &[u8], what: &str) -> Result<Value> {
    if text.len() as u64 > MAX_CONFIG {
        let problem = format!("it has more than {} MiB, the maximum", MAX_CONFIG >> 20);
        return Err(Error::place(what, problem));
    }
    // serde_json limits the nesting.
    serde_json::from_slice(text).map_err(|error| Error::damaged(what, error))
}
