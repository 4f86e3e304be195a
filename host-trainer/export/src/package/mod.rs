//! Packages: a model as a folder that a build system takes as it is.

mod example;

use model_format::Model;
use thimble_support::template::render;

use crate::layers::Values;
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

    /// The files of a package with a model, in a folder of this name, of which ESP-IDF makes the
    /// component's name.
    pub fn files(
        self,
        model: &Model<'_>,
        name: &Name,
        source: &CSource,
        folder: &str,
    ) -> Vec<File> {
        let mut values = source.values.clone();
        values.push(("folder", folder.into()));
        values.extend(example::values(model, name));
        let mut files = Vec::new();
        let mut add = |path: String, template: &str, values: &Values| {
            files.push(File { path, content: render(template, values) });
        };
        let sketch = "examples/read_and_print/read_and_print.ino";
        match self {
            Package::Arduino => {
                let properties = include_str!("../templates/package/library.properties");
                add("library.properties".into(), properties, &values);
                add(sketch.into(), include_str!("../templates/package/sketch.ino"), &values);
            }
            Package::Platformio => {
                let json = include_str!("../templates/package/library.json");
                add("library.json".into(), json, &values);
                add(sketch.into(), include_str!("../templates/package/sketch.ino"), &values);
            }
            Package::Zephyr => {
                let module = include_str!("../templates/package/module.yml");
                add("zephyr/module.yml".into(), module, &values);
                add("zephyr/Kconfig".into(), include_str!("../templates/package/Kconfig"), &values);
                let cmake = include_str!("../templates/package/zephyr.cmake");
                add("zephyr/CMakeLists.txt".into(), cmake, &values);
                let cmake = include_str!("../templates/package/zephyr_sample.cmake");
                add("samples/print/CMakeLists.txt".into(), cmake, &values);
                let conf = include_str!("../templates/package/prj.conf");
                add("samples/print/prj.conf".into(), conf, &values);
                let values = example::main(&values, "#include <zephyr/kernel.h>\n", "printk");
                add("samples/print/src/main.c".into(), example::C, &values);
            }
            Package::EspIdf => {
                let manifest = include_str!("../templates/package/idf_component.yml");
                add("idf_component.yml".into(), manifest, &values);
                let cmake = include_str!("../templates/package/idf.cmake");
                add("CMakeLists.txt".into(), cmake, &values);
                let cmake = include_str!("../templates/package/idf_example.cmake");
                add("examples/print/CMakeLists.txt".into(), cmake, &values);
                let cmake = include_str!("../templates/package/idf_main.cmake");
                add("examples/print/main/CMakeLists.txt".into(), cmake, &values);
                let values = example::app_main(&values);
                add("examples/print/main/main.c".into(), example::C, &values);
            }
            Package::Cmake => {
                let cmake = include_str!("../templates/package/CMakeLists.txt");
                add("CMakeLists.txt".into(), cmake, &values);
                let cmake = include_str!("../templates/package/cmake_example.cmake");
                add("example/CMakeLists.txt".into(), cmake, &values);
                let values = example::main(&values, "#include <stdio.h>\n", "printf");
                add("example/main.c".into(), example::C, &values);
            }
            Package::Cmsis => {
                let pack = include_str!("../templates/package/pack.pdsc");
                add(format!("Thimble.{name}.pdsc"), pack, &values);
                let values = example::main(&values, "#include <stdio.h>\n", "printf");
                add("example/main.c".into(), example::C, &values);
            }
        }
        // Arduino and PlatformIO look for headers in `src`.
        let headers = match self {
            Package::Arduino | Package::Platformio => "src",
            _ => "include",
        };
        let header = File {
            path: format!("{headers}/{}", source.header_name),
            content: source.header.clone(),
        };
        let code =
            File { path: format!("src/{}", source.source_name), content: source.source.clone() };
        files.extend([header, code]);
        files
    }
}

#[cfg(test)]
mod tests {
    use model_format::build::{DenseSpec, InputSpec, LayerSpec, ModelSpec, OutputSpec};
    use model_format::{
        Channel, Clamp, Encoding, Multiplier, Quantization, RealChannel, WeightLayout,
    };

    use super::*;

    type Source = Encoding<Vec<Channel>, Vec<RealChannel>>;

    fn model(encoding: Source, output: OutputSpec) -> Vec<u8> {
        let tensor = Quantization::int8(0.5, 0);
        let layer = LayerSpec::Dense(DenseSpec {
            inputs: 2,
            outputs: 2,
            weights: vec![1, 2, 3, 4],
            biases: vec![0; 2],
            multipliers: vec![Multiplier { mantissa: 1 << 30, shift: 0 }; 2],
            output: tensor,
            clamp: Clamp::INT8,
            layout: WeightLayout::RowMajor,
        });
        let spec = ModelSpec {
            name: "a \"b\" & <c>".into(),
            input: InputSpec { shape: vec![2], quantization: tensor, encoding },
            output,
            layers: vec![layer],
            self_tests: vec![],
            details: Default::default(),
        };
        spec.to_bytes().unwrap()
    }

    #[test]
    fn every_name_of_a_template_has_a_value() {
        let channel = RealChannel { offset: 0.0, factor: 1.0 };
        let encodings = [
            Encoding::Quantized,
            Encoding::Unsigned8,
            Encoding::Counts(vec![Channel::IGNORED]),
            Encoding::Reals(vec![channel]),
        ];
        for encoding in encodings {
            for output in [OutputSpec::classes(["no", "yes"]), OutputSpec::Values(vec![])] {
                let file = model(encoding.clone(), output);
                let model = Model::parse(&file).unwrap();
                let name = Name::new("net").unwrap();
                let source = CSource::of(&model, &name);
                for package in Package::ALL {
                    let files = package.files(&model, &name, &source, "net");
                    for File { path, content } in &files {
                        assert!(!content.contains("{{"), "{path}: {content}");
                        assert!(!content.contains("<c>"), "{path}: a foreign name is escaped");
                    }
                    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
                    let unique: std::collections::BTreeSet<_> = paths.iter().collect();
                    assert_eq!(unique.len(), paths.len(), "{paths:?}");
                    assert!(paths.contains(&"src/net.c"), "{paths:?}");
                }
            }
        }
    }
}
