//! Packages of exported C: the layout and the metadata that each build system asks for, and what can
//! be built without its tools.

use std::path::{Path, PathBuf};
use std::process::Command;

use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::emulated::default_model;
use thimble_tests::workspace::{empty_dir, read, root, write};

/// Models with each kind of input and of answer: pixels and classes, counts and values, real numbers
/// and classes.
fn models() -> [(&'static str, Vec<u8>); 3] {
    let file = |name: &str| read(root().join("firmware/models").join(name));
    [
        ("digits", default_model()),
        ("eggcrate_adc", file("eggcrate-adc.thimble")),
        ("wine", file("wine.thimble")),
    ]
}

/// Exports each model as a package; returns names and folders.
fn exported(package: &str) -> Vec<(&'static str, PathBuf)> {
    let top = empty_dir(&format!("export-package-{package}"));
    let export = |(name, model): (&'static str, Vec<u8>)| {
        write(top.join("model.thimble"), model);
        let arguments =
            ["export", "c", "model.thimble", "--name", name, "--package", package, "-o", name];
        Finished::of(&mut host_trainer(&top, arguments)).success();
        (name, top.join(name))
    };
    models().into_iter().map(export).collect()
}

fn text(path: PathBuf) -> String {
    String::from_utf8(read(path)).expect("text")
}

fn run(program: &str, folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(Command::new(program).current_dir(folder).args(arguments)).success()
}

/// Compiles the sketch as Arduino does: as C++11, with its header in front.
fn compile_sketch(folder: &Path) {
    write(
        folder.join("Arduino.h"),
        "#include <stddef.h>\n#include <stdint.h>\n\
         class __FlashStringHelper;\n\
         #define F(text) (reinterpret_cast<const __FlashStringHelper *>(text))\n\
         struct Print { void begin(long); void print(const char *); void print(char);\n\
         void print(double, int); void println(const char *);\n\
         void println(const __FlashStringHelper *); };\n\
         extern Print Serial;\nconst uint8_t A0 = 14;\nint analogRead(uint8_t);\n\
         void delay(unsigned long);\n",
    );
    let sketch = "examples/read_and_print/read_and_print.ino";
    let arguments =
        ["-mmcu=atmega2560", "-std=gnu++11", "-Os", "-Wall", "-Wextra", "-Werror", "-I.", "-Isrc"];
    let program = ["-include", "Arduino.h", "-x", "c++", "-c", "-o", "sketch.o", sketch];
    run("avr-g++", folder, &[&arguments[..], &program].concat());
}

fn compile_library(name: &str, folder: &Path) {
    let source = format!("src/{name}.c");
    let flags = ["-std=gnu11", "-Os", "-flto", "-Wall", "-Wextra", "-Werror", "-c", "-o", "lib.o"];
    let include = ["-Isrc", "-Iinclude"];
    run("avr-gcc", folder, &[&["-mmcu=atmega2560"], &flags[..], &include, &[&source]].concat());
    let arm = ["-mcpu=cortex-m4", "-mthumb"];
    run(
        "arm-none-eabi-gcc",
        folder,
        &[&arm, &flags[..], &include, &["-ffreestanding", &source]].concat(),
    );
}

#[test]
fn arduino() {
    for (name, folder) in exported("arduino") {
        // Arduino Library Specification 1.5: required fields, `src` with the sources, examples in
        // folders of their own name.
        let properties = text(folder.join("library.properties"));
        let value = |key: &str| {
            let line = properties.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
            line.unwrap_or_else(|| panic!("no {key} in {properties}")).to_string()
        };
        for key in ["author", "maintainer", "sentence", "paragraph", "url"] {
            assert!(!value(key).is_empty(), "{key}");
        }
        assert_eq!([value("name"), value("version")], [name.to_string(), "1.0.0".into()]);
        assert_eq!([value("category"), value("architectures")], ["Data Processing", "*"]);
        assert_eq!(value("includes"), format!("{name}.h"));
        compile_library(name, &folder);
        compile_sketch(&folder);
    }
}

#[test]
fn platformio() {
    for (name, folder) in exported("platformio") {
        let manifest: serde_json::Value =
            serde_json::from_slice(&read(folder.join("library.json"))).expect("JSON");
        assert_eq!(manifest["name"], name);
        assert_eq!(manifest["headers"], format!("{name}.h"));
        for key in ["version", "description", "keywords", "frameworks", "platforms"] {
            assert!(manifest[key].is_string(), "{key}: {manifest}");
        }
        for example in manifest["examples"].as_array().expect("examples") {
            let base = folder.join(example["base"].as_str().expect("a folder"));
            for file in example["files"].as_array().expect("files") {
                assert!(base.join(file.as_str().expect("a name")).is_file(), "{file}");
            }
        }
        compile_library(name, &folder);
        compile_sketch(&folder);
    }
}

/// Keys of a YAML file of one level of nesting, as `key` and `key.key`.
fn yaml_keys(text: &str) -> Vec<String> {
    let (mut keys, mut parent) = (Vec::new(), String::new());
    for line in text.lines() {
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("no key in {line:?}"));
        match key.strip_prefix("  ") {
            None => {
                parent = key.to_string();
                keys.push(key.to_string());
            }
            Some(key) => {
                assert!(!value.trim().is_empty(), "{line:?}");
                keys.push(format!("{parent}.{key}"));
            }
        }
    }
    keys
}

#[test]
fn zephyr() {
    for (name, folder) in exported("zephyr") {
        let keys = yaml_keys(&text(folder.join("zephyr/module.yml")));
        assert_eq!(keys, ["name", "build", "build.cmake", "build.kconfig"]);
        let option = format!("config {}\n", name.to_uppercase());
        assert!(text(folder.join("zephyr/Kconfig")).starts_with(&option));
        let conf = text(folder.join("samples/print/prj.conf"));
        assert!(conf.contains(&format!("CONFIG_{}=y", name.to_uppercase())), "{conf}");
        compile_library(name, &folder);
        std::fs::create_dir_all(folder.join("stub/zephyr")).expect("a folder");
        write(folder.join("stub/zephyr/kernel.h"), "void printk(const char *format, ...);\n");
        let flags =
            ["-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-Iinclude", "-Istub"];
        run("gcc", &folder, &[&flags[..], &["samples/print/src/main.c"]].concat());
    }
}

#[test]
fn esp_idf() {
    for (name, folder) in exported("esp-idf") {
        let keys = yaml_keys(&text(folder.join("idf_component.yml")));
        assert_eq!(keys, ["version", "description", "url", "dependencies", "dependencies.idf"]);
        let main = text(folder.join("examples/print/main/CMakeLists.txt"));
        assert!(main.contains(&format!("PRIV_REQUIRES {name})")), "the folder's name: {main}");
        let source = format!("src/{name}.c");
        let core = ["-march=rv32imac", "-mabi=ilp32", "-std=gnu11", "-Os", "-Wall", "-Wextra"];
        let rest = ["-Werror", "-ffreestanding", "-Iinclude", "-c", "-o", "lib.o", &source];
        run("riscv64-unknown-elf-gcc", &folder, &[&core[..], &rest].concat());
        let flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-Iinclude"];
        run("gcc", &folder, &[&flags[..], &["examples/print/main/main.c"]].concat());
    }
}

/// Configured, built, installed and found by CMake itself, and the example runs.
#[test]
fn cmake() {
    for (name, folder) in exported("cmake") {
        run("cmake", &folder, &["-S", ".", "-B", "build"]);
        run("cmake", &folder, &["--build", "build"]);
        run("cmake", &folder, &["--install", "build", "--prefix", "installed"]);
        let prefix = format!("-DCMAKE_PREFIX_PATH={}", folder.join("installed").display());
        run("cmake", &folder, &["-S", "example", "-B", "build-example", &prefix]);
        run("cmake", &folder, &["--build", "build-example"]);
        let program = folder.join("build-example").join(format!("{name}_print"));
        let printed = Finished::of(&mut Command::new(program)).success().stdout;
        assert!(printed.contains("= ") && !printed.contains("failed"), "{name}: {printed}");
    }
}

#[test]
fn cmsis() {
    for (name, folder) in exported("cmsis") {
        let pack = folder.join(format!("Thimble.{name}.pdsc"));
        let script = "import sys, xml.etree.ElementTree as tree\n\
             package = tree.parse(sys.argv[1]).getroot()\n\
             assert package.tag == 'package' and package.get('schemaVersion')\n\
             for tag in ['vendor', 'name', 'description', 'url', 'releases', 'components']:\n    \
                 assert package.find(tag) is not None, tag\n\
             print(*[f.get('name') for f in package.iter('file')])\n";
        let files = run("python3", &folder, &["-c", script, &pack.display().to_string()]).stdout;
        assert_eq!(files.split_whitespace().count(), 3, "{files}");
        for file in files.split_whitespace() {
            assert!(folder.join(file).exists(), "{file}");
        }
        let flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-Iinclude"];
        run("gcc", &folder, &[&flags[..], &["example/main.c"]].concat());
    }
}
