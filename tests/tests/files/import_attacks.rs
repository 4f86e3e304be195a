//! Files that are made to do harm: archives that unpack to gigabytes, pickles with code, links out of the
//! file, tensors of gigabytes by header only. Each is refused by name, in bounded memory.

use std::io::{Cursor, Read, Write};
use std::path::PathBuf;

use thimble_import::{Options, read, read_bytes};
use thimble_tests::workspace::{empty_dir, root};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const MIB: usize = 1 << 20;

fn given(name: &str) -> Vec<u8> {
    let path = root().join("../shared/golden-float/given").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns an archive with other entries in place of those whose names end so.
fn with_entry(archive: &[u8], ends: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).expect("a ZIP archive");
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let mut replaced = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("an entry");
        let name = entry.name().expect("a name").to_string();
        let method = match name.ends_with(ends) {
            true => CompressionMethod::Deflated,
            false => CompressionMethod::Stored,
        };
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(&name, options).expect("an entry");
        match name.ends_with(ends) {
            true => {
                replaced += 1;
                writer.write_all(content).expect("memory");
            }
            false => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).expect("an entry");
                writer.write_all(&bytes).expect("memory");
            }
        }
    }
    assert_eq!(replaced, 1, "{ends}");
    writer.finish().expect("an archive").into_inner()
}

fn refused(file: &[u8], layers: Option<&str>) -> String {
    let options = Options { layers: layers.map(str::to_string) };
    match read_bytes(file, None, &options) {
        Ok(_) => panic!("it is taken"),
        Err(error) => error.to_string(),
    }
}

/// Checks that the process never had this much memory.
fn check_memory() {
    // Three times the largest file that a test makes, and what the harness has.
    const MOST: usize = 512;
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<usize>().ok());
    let peak = peak.expect("a size") / 1024;
    assert!(peak < MOST, "{peak} MiB");
}

#[test]
fn archives_that_unpack_to_far_more_are_refused() {
    let zeros = vec![0; 64 * MIB];
    let keras = given("keras-sine-tanh/model.keras");
    for entry in ["config.json", "model.weights.h5"] {
        let bomb = with_entry(&keras, entry, &zeros);
        assert!(bomb.len() < MIB, "{} bytes", bomb.len());
        let message = refused(&bomb, None);
        assert!(message.contains(entry) && message.contains("the maximum"), "{message}");
    }
    let bomb = with_entry(&given("torch-deep/state_dict.pt"), "data.pkl", &zeros);
    let message = refused(&bomb, Some("relu"));
    assert!(message.contains("data.pkl") || message.contains("PyTorch"), "{message}");
    // A storage of which the tensors use less than it unpacks to.
    let bomb = with_entry(&given("torch-deep/state_dict.pt"), "data/0", &zeros);
    let options = Options { layers: Some("relu".into()) };
    let _ = read_bytes(&bomb, None, &options);
    check_memory();
}

#[test]
fn no_code_of_a_pickle_is_run() {
    let folder = empty_dir("import_attacks_pickle");
    let witness = folder.join("run");
    let command = format!("touch {}", witness.display());
    for function in ["posix\nsystem", "os\nsystem", "builtins\neval", "subprocess\ngetoutput"] {
        // GLOBAL, MARK, BINUNICODE, TUPLE, REDUCE, STOP.
        let mut pickle = b"\x80\x02c".to_vec();
        pickle.extend_from_slice(function.as_bytes());
        pickle.extend_from_slice(b"\n(X");
        pickle.extend_from_slice(&(command.len() as u32).to_le_bytes());
        pickle.extend_from_slice(command.as_bytes());
        pickle.extend_from_slice(b"tR.");
        let file = with_entry(&given("torch-deep/state_dict.pt"), "data.pkl", &pickle);
        let message = refused(&file, Some("relu"));
        let name = function.rsplit('\n').next().unwrap_or_default();
        assert!(message.contains("PyTorch") && message.contains("state_dict"), "{name}: {message}");
        // Alone, as of joblib, or before PyTorch 1.6.
        assert!(!refused(&pickle, Some("relu")).is_empty());
        let old =
            [b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", &pickle[..]].concat();
        assert!(!refused(&old, Some("relu")).is_empty());
    }
    assert!(!witness.exists(), "the code was run");
}

#[test]
fn links_of_hdf5_stay_in_the_file() {
    let folder = root().join("tests/cases/hdf5");
    let message = |name: &str| {
        let path: PathBuf = folder.join(name);
        read(&path, &Options::default()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(message("plain.h5"), Ok(()));
    for (name, words) in [
        // The file beside it is there, and has what the link names.
        ("external-link.h5", ["`plain.h5`", "not read"]),
        ("external-kernel.h5", ["`plain.h5`", "not read"]),
        ("external-data.h5", ["`/etc/passwd`", "not read"]),
        ("soft-cycle.h5", ["model_weights/d", "model_weights"]),
        ("hard-cycle.h5", ["model_weights/d", "kernel"]),
        ("huge.h5", ["[8192, 8192]", "the maximum"]),
    ] {
        let found = message(name).expect_err(name);
        assert!(words.iter().all(|word| found.contains(word)), "{name}: {found}");
    }
    check_memory();
}

/// Returns a field of a protobuf message with this content.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [bytes, content.to_vec()].concat()
}

#[test]
fn tensors_by_header_only_are_refused() {
    // 8192 × 8192 floats, the most that a model has, and none of them there.
    let dims = [8, 0x80, 0x40, 8, 0x80, 0x40, 16, 1];
    let tensor = [&dims[..], &field(8, b"w")].concat();
    let node = [field(1, b"x"), field(1, b"w"), field(2, b"y"), field(4, b"MatMul")].concat();
    let shape = [&[8, 1][..]].concat();
    let shape = [field(1, &shape), field(1, &[8, 0x80, 0x40])].concat();
    let kind = field(1, &[&[8, 1][..], &field(2, &shape)].concat());
    let value = |name: &[u8]| [field(1, name), field(2, &kind)].concat();
    let graph =
        [field(1, &node), field(5, &tensor), field(11, &value(b"x")), field(12, &value(b"y"))];
    let opset = field(8, &[16, 13]);
    let model = [&[8, 8][..], &field(7, &graph.concat()), &opset].concat();
    let message = refused(&model, None);
    assert!(message.contains("`w`") && message.contains("8192"), "{message}");

    for header in [
        r#"{"w":{"dtype":"F32","shape":[8192,8192],"data_offsets":[0,268435456]}}"#,
        r#"{"w":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,0]}}"#,
    ] {
        let length = (header.len() as u64).to_le_bytes();
        let message = refused(&[&length[..], header.as_bytes()].concat(), Some("w"));
        assert!(message.contains("safetensors"), "{message}");
    }
    // A header that is itself beyond the file.
    let message = refused(b"\xff\xff\xff\x0f\0\0\0\0{\"w\":", Some("w"));
    assert!(message.contains("safetensors"), "{message}");
    check_memory();
}
