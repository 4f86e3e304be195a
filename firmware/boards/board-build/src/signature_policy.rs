//! The signatures that a board requires of models.

use std::env;
use std::path::PathBuf;

use thimble_build::script::{fail, write};

/// The environment variable that names a file with the public key.
const KEY_VARIABLE: &str = "THIMBLE_PUBLIC_KEY";

/// Writes `signature_policy.rs`: `SIGNATURE_POLICY`, the signatures that a model needs.
///
/// With the feature `signed` that is the holder of the key that `THIMBLE_PUBLIC_KEY` names; with
/// `signed-commands` commands of nobody else are taken, either; without a feature, anybody is trusted. One without the other ends the build: a board that somebody thinks is locked must
/// not take everything.
pub fn signature_policy() {
    println!("cargo::rerun-if-env-changed={KEY_VARIABLE}");
    let key = env::var_os(KEY_VARIABLE).filter(|path| !path.is_empty());
    let code = format!(
        "/// Signatures that this board requires.\n\
         pub const SIGNATURE_POLICY: firmware::app::SignaturePolicy = firmware::app::SignaturePolicy::{};\n",
        policy_of(key.map(PathBuf::from))
    );
    write("signature_policy.rs", code.as_bytes());
}

#[cfg(not(feature = "signed"))]
fn policy_of(key: Option<PathBuf>) -> String {
    if key.is_some() {
        fail(&format!(
            "{KEY_VARIABLE} is set, but signatures are not built in: add --features signed, or \
             unset it for a board that takes any model"
        ));
    }
    "NotRequired".into()
}

/// The holder of the public key in this file, PEM as OpenSSL writes it.
#[cfg(feature = "signed")]
fn policy_of(key: Option<PathBuf>) -> String {
    let path = key.unwrap_or_else(|| {
        fail(&format!(
            "signatures need a key: set {KEY_VARIABLE} to a file that `host-trainer device new-key` \
             or `openssl pkey -pubout` has written, or leave --features signed away"
        ))
    });
    let refuse = |problem: &dyn std::fmt::Display| -> ! {
        fail(&format!(
            "{KEY_VARIABLE}={}: {problem}. Set it to a public key in PEM, by its absolute path or \
             relative to firmware/boards/common: `host-trainer device new-key` and `openssl pkey \
             -pubout` write one",
            path.display()
        ))
    };
    println!("cargo::rerun-if-changed={}", path.display());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| refuse(&error));
    let key = ed25519_compact::PublicKey::from_pem(&text)
        .and_then(|key| key.validate().map(|()| key))
        .unwrap_or_else(|_| refuse(&"there is no public key of Ed25519 in it"));
    let holder = if cfg!(feature = "signed-commands") { "RequiredForCommands" } else { "Required" };
    format!("{holder}({:?})", *key)
}
