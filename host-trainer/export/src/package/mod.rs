//! Packages: a model as a folder that a build system takes as it is.

use model_format::Model;

use crate::{CSource, Name};

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the folder of the export, with `/`.
    pub path: String,
    /// Its content.
    pub content: String,
}

/// Build systems for firmware in C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// A library for the Arduino IDE and arduino-cli.
    Arduino,
    /// A library for PlatformIO.
    Platformio,
    /// A module for Zephyr.
    Zephyr,
    /// A component for ESP-IDF.
    EspIdf,
    /// A library for CMake.
    Cmake,
    /// A CMSIS pack.
    Cmsis,
}

impl Package {
    /// All of them.
    pub const ALL: [Package; 6] = [
        Package::Arduino,
        Package::Platformio,
        Package::Zephyr,
        Package::EspIdf,
        Package::Cmake,
        Package::Cmsis,
    ];

    /// The files of a package with a model.
    pub fn files(self, _model: &Model<'_>, _name: &Name, source: &CSource) -> Vec<File> {
        source.files()
    }
}
