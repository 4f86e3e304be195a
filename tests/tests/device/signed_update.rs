//! Signed updates: an emulated board with a public key, and `host-trainer device update` with and
//! without the secret key.

use std::path::{Path, PathBuf};

use firmware::link::{Command, Request, RequestError};
use host_trainer::device::board::{Board, Signed};
use host_trainer::device::client::Client;
use host_trainer::device::signing::{SigningKey, Version};
use thimble_tests::command::{Finished, cargo, host_trainer};
use thimble_tests::emulated::{
    board, default_model, listening, own_model, serving_firmware, signed_firmware,
};
use thimble_tests::owner::{PUBLIC, SECRET};
use thimble_tests::variant::variant;
use thimble_tests::wire::{Answer, Wire};
use thimble_tests::workspace::{empty_dir, root, write};

/// `host-trainer device` with these arguments, in this folder.
fn device(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(&mut host_trainer(folder, ["--quiet", "device"].iter().chain(arguments)))
}

/// Returns a folder with the test's key, which is constant, so that firmware is built for it once.
fn folder(name: &str) -> PathBuf {
    let folder = empty_dir(name);
    write(folder.join("owner"), SECRET.as_bytes());
    write(folder.join("owner.pub"), PUBLIC.as_bytes());
    folder
}

#[test]
fn what_the_holder_of_the_key_has_signed_is_taken_and_nothing_else() {
    let folder = folder("signed_update");
    let key = folder.join("owner.pub");
    let (_emulator, address) =
        listening(&signed_firmware(board(), &default_model(), Signed::Models, &key));
    let new = variant(3);
    write(folder.join("new.thimble"), &new);
    let at = ["--tcp", address.as_str()];
    let ask = |arguments: &[&str]| device(&folder, &[arguments, &at].concat());
    let before = ask(&["info"]).success().stdout;

    ask(&["update", "new.thimble"]).refused(1, &["not signed", "--sign"]);
    device(&folder, &["new-key", "another"]).success();
    ask(&["update", "new.thimble", "--sign", "another"]).refused(1, &["signature", "key"]);
    // Requests that no client sends: a truncated signature or model.
    let mut client = Client::connect(&address).unwrap_or_else(|error| panic!("{error}"));
    let key = SigningKey::read(&folder.join("owner")).unwrap_or_else(|error| panic!("{error}"));
    let signed = key.sign(&new, Version::now());
    for cut_off in [&signed[..signed.len() - 1], &signed[..new.len() - 1]] {
        let error = client.update(cut_off, |_| ()).expect_err("it is cut off").to_string();
        assert!(error.contains("damaged"), "{error}");
    }
    drop(client);
    let after = ask(&["info"]).success().stdout;
    assert_eq!(model_line(&after), model_line(&before), "it goes on with its model");

    let updated = ask(&["update", "new.thimble", "--sign", "owner"]).success().stdout;
    assert!(updated.contains("digits 3"), "{updated}");
    ask(&["self-test"]).success();
    // Back to the built-in model, which is trusted without a signature.
    let back = ask(&["update", "--rollback"]).success().stdout;
    assert_eq!(model_line(&back), model_line(&before));
}

/// Older models are refused, unless their owner has signed them as a downgrade.
#[test]
fn an_older_version_needs_a_signed_downgrade() {
    let folder = folder("signed_versions");
    let key = folder.join("owner.pub");
    let (_emulator, address) =
        listening(&signed_firmware(board(), &default_model(), Signed::Models, &key));
    for number in 1..=3 {
        write(folder.join(format!("{number}.thimble")), variant(number));
    }
    let ask = |arguments: &[&str]| device(&folder, &[arguments, &["--tcp", &address]].concat());
    let update = |model: &str, version: &str, more: &[&str]| {
        let signed = ["update", model, "--sign", "owner", "--model-version", version];
        ask(&[&signed, more].concat())
    };
    let info = update("1.thimble", "10", &[]).success().stdout;
    assert!(info.contains("version 10 runs; accepts updates from version 10 on"), "{info}");
    update("2.thimble", "9", &[]).refused(1, &["version 9", "version 10", "--downgrade"]);
    let info = update("2.thimble", "9", &["--downgrade"]).success().stdout;
    assert!(info.contains("digits 2") && info.contains("version 9 runs"), "{info}");
    update("3.thimble", "9", &[]).refused(1, &["version 9", "version 10"]);
    // What is signed without a version is signed as of now.
    let info = ask(&["update", "3.thimble", "--sign", "owner"]).success().stdout;
    assert!(info.contains("digits 3"), "{info}");
}

/// A board with this feature requires its owner's signature for rollback and restart.
#[test]
fn commands_need_a_signature_where_the_board_asks_for_one() {
    let folder = folder("signed_commands");
    let key = folder.join("owner.pub");
    let elf = signed_firmware(board(), &default_model(), Signed::ModelsAndCommands, &key);
    let (_emulator, address) = listening(&elf);
    write(folder.join("new.thimble"), variant(3));
    device(&folder, &["new-key", "another"]).success();
    let ask = |arguments: &[&str]| device(&folder, &[arguments, &["--tcp", &address]].concat());
    let before = ask(&["info"]).success().stdout;
    assert!(before.contains("need a signature"), "{before}");

    ask(&["restart"]).refused(1, &["holder of its key", "--key KEYFILE"]);
    ask(&["restart", "--key", "another"]).refused(1, &["signature", "--key KEYFILE"]);
    ask(&["restart", "--key", "owner"]).success();
    // An update restarts the board at its end, with the key that has signed the model or another.
    let update = ["update", "new.thimble", "--sign", "owner"];
    ask(&[&update[..], &["--key", "another"]].concat()).refused(1, &["the command's signature"]);
    assert_eq!(model_line(&ask(&["info"]).success().stdout), model_line(&before), "not yet");
    let updated = ask(&update).success().stdout;
    assert!(updated.contains("digits 3"), "{updated}");

    ask(&["update", "--rollback"]).refused(1, &["holder of its key", "--key KEYFILE"]);
    assert_eq!(model_line(&ask(&["info"]).success().stdout), model_line(&updated));
    let back = ask(&["update", "--rollback", "--key", "owner"]).success().stdout;
    assert!(back.contains("digits"), "{back}");
}

/// Replayed recordings of the link are refused, in this session and after a restart.
#[test]
fn a_recorded_command_is_refused() {
    let folder = folder("recorded_commands");
    let key = folder.join("owner.pub");
    let owner = SigningKey::read(&folder.join("owner")).unwrap_or_else(|error| panic!("{error}"));
    for board in [board(), Board::named("microbit").unwrap_or_else(|error| panic!("{error}"))] {
        let model = own_model(board);
        let elf = signed_firmware(board, &model, Signed::ModelsAndCommands, &key);
        let start = || {
            let mut wire = Wire::to_firmware(board, &elf);
            let Answer::Challenge(nonce) = ask(&mut wire, Request::Challenge) else {
                panic!("{}: no nonce", board.name)
            };
            (wire, nonce)
        };
        let (mut wire, nonce) = start();
        let command = Command::RollBack;
        let recorded = owner.sign_command(command, nonce);
        let signed = Request::Signed { command, signature: &recorded };
        // The command is accepted, but there is no previous model.
        assert_eq!(ask(&mut wire, signed), Answer::Error(RequestError::NothingBefore));
        assert_eq!(ask(&mut wire, signed), Answer::Error(RequestError::NoChallenge));
        assert!(
            matches!(ask(&mut wire, Request::Challenge), Answer::Challenge(new) if new != nonce)
        );
        assert_eq!(ask(&mut wire, signed), Answer::Error(RequestError::CommandSignature));
        drop(wire);
        let (mut wire, new) = start();
        assert_ne!(new, nonce, "{}", board.name);
        assert_eq!(ask(&mut wire, signed), Answer::Error(RequestError::CommandSignature));
        assert_eq!(wire.good_frame_is_answered(), []);
    }
}

fn ask(wire: &mut Wire, request: Request<'_>) -> Answer {
    let (number, bytes) = wire.request(request);
    wire.send(&bytes);
    let (sequence, answer) = wire.receive();
    assert_eq!(sequence, number);
    answer
}

fn model_line(info: &str) -> &str {
    info.lines().find(|line| line.starts_with("model ")).expect("a line on the model")
}

#[test]
fn a_device_without_a_key_says_so_to_one_who_signs() {
    let folder = folder("signed_for_nobody");
    write(folder.join("new.thimble"), variant(3));
    let elf = serving_firmware(board(), &default_model());
    let elf = elf.to_str().expect("a path of this repository");
    device(
        &folder,
        &["update", "new.thimble", "--sign", "owner", "--qemu", board().name, "--elf", elf],
    )
    .refused(1, &["without a key", "without --sign"]);
}

#[test]
fn keys_are_not_replaced_and_bad_ones_are_named() {
    let folder = folder("signing_keys");
    device(&folder, &["new-key", "owner"]).refused(1, &["owner", "exists"]);
    write(folder.join("new.thimble"), variant(3));
    // Checked before the connection, which would be refused.
    let to = ["--tcp", "127.0.0.1:9"];
    for (key, words) in [
        ("none", ["none", "No such file"]),
        ("owner.pub", ["owner.pub", "no Ed25519 secret key"]),
        ("new.thimble", ["new.thimble", "new-key"]),
    ] {
        let arguments = ["update", "new.thimble", "--sign", key];
        device(&folder, &[&arguments[..], &to].concat()).refused(1, &words);
    }
}

/// Key and signature features require each other.
#[test]
fn a_build_with_a_key_and_no_signatures_is_refused_and_the_other_way_round() {
    let folder = folder("signed_builds");
    let build = |key: Option<&str>, features: &[&str]| {
        let mut command = cargo();
        command
            .args(["build", "--release"])
            .args(features)
            .current_dir(root().join("firmware/boards").join(board().name))
            .env_remove("CARGO_TARGET_DIR");
        match key {
            Some(name) => command.env("THIMBLE_PUBLIC_KEY", folder.join(name)),
            None => command.env_remove("THIMBLE_PUBLIC_KEY"),
        };
        Finished::of(&mut command)
    };
    let signed = ["--features", "signed"];
    build(Some("owner.pub"), &[]).refused(101, &["THIMBLE_PUBLIC_KEY", "--features signed"]);
    build(None, &signed).refused(101, &["THIMBLE_PUBLIC_KEY", "new-key"]);
    build(Some("owner"), &signed).refused(101, &["owner", "no public key"]);
    build(Some("none.pub"), &signed).refused(101, &["none.pub", "No such file"]);
}
