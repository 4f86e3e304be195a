//! Keys, and signatures of models and of commands, as `firmware` checks them: Ed25519 of the model
//! file and of the version that it is signed as, or of the command and of the device's nonce.
//!
//! Keys are PEM as OpenSSL writes and reads it: PKCS#8 for the secret half, SubjectPublicKeyInfo
//! for the public one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_compact::KeyPair;
use firmware::link::{Command, NONCE_LEN};
use firmware::signature::{PUBLIC_KEY_LEN, SIGNATURE_LEN, VERSION_MAGIC};

use super::Error;

/// The version that a model is signed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number: a device refuses one that is smaller than the highest that it has accepted.
    pub number: u32,
    /// The highest version that it may replace all the same; 0 for none.
    pub replaces: u32,
}

impl Version {
    /// The seconds since 1970, so that what is signed later is newer.
    pub fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Enough until 2106.
        Version { number: u32::try_from(now.as_secs()).unwrap_or(u32::MAX), replaces: 0 }
    }
}

/// A key that signs models and commands.
pub struct SigningKey(KeyPair);

impl SigningKey {
    /// A new one, from the system's source of randomness.
    pub fn generate() -> Self {
        SigningKey(KeyPair::generate())
    }

    /// Reads the secret half from a file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Key`] if there is no such key in it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read(path).map_err(Error::file(path))?;
        KeyPair::from_pem(&String::from_utf8_lossy(&text))
            .map(SigningKey)
            .map_err(|_| Error::Key { path: path.into() })
    }

    /// Writes the secret half to a new file that only its owner may read, and the public half to
    /// another with `.pub` at the end, whose path it gives.
    ///
    /// # Errors
    /// [`Error::File`], also if one of the two is there already: a key is not replaced.
    pub fn write(&self, path: &Path) -> Result<PathBuf, Error> {
        let mut public = path.as_os_str().to_owned();
        public.push(".pub");
        let public = PathBuf::from(public);
        // Neither without the other: what is there is seen before anything is written.
        if public.exists() {
            return Err(Error::file(public)(io::ErrorKind::AlreadyExists.into()));
        }
        create(path, &self.0.sk.to_pem(), true)?;
        if let Err(error) = create(&public, &self.0.pk.to_pem(), false) {
            // Neither half is left when the other fails.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(public)
    }

    /// A model file with its version and its signature behind it, as an update brings it.
    pub fn sign(&self, model: &[u8], version: Version) -> Vec<u8> {
        let Version { number, replaces } = version;
        let mut signed = model.to_vec();
        signed.extend_from_slice(&VERSION_MAGIC);
        signed.extend_from_slice(&number.to_le_bytes());
        signed.extend_from_slice(&replaces.to_le_bytes());
        signed.extend_from_slice(&self.signature(&signed));
        signed
    }

    /// The signature of a command for a device that has given this nonce.
    pub fn sign_command(&self, command: Command, nonce: [u8; NONCE_LEN]) -> [u8; SIGNATURE_LEN] {
        self.signature(&command.signed_bytes(nonce))
    }

    /// The signature of these bytes.
    fn signature(&self, bytes: &[u8]) -> [u8; SIGNATURE_LEN] {
        *self.0.sk.sign(bytes, None)
    }

    /// The public half, as firmware has it built in.
    pub fn public(&self) -> [u8; PUBLIC_KEY_LEN] {
        *self.0.pk
    }
}

fn create(path: &Path, content: &str, secret: bool) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    // Elsewhere a new file's rights are those of its folder.
    #[cfg(not(unix))]
    let _ = secret;
    let mut file = options.open(path).map_err(Error::file(path))?;
    let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // It was made here, and what is in it is no key.
        let _ = fs::remove_file(path);
        Error::file(path)(error)
    })
}

#[cfg(test)]
mod tests {
    use firmware::link::ModelRejected;
    use firmware::signature::{Checked, SignaturePolicy, VERSION_LEN};

    use super::*;

    /// As much of a model as a signature depends on: a header that states its length.
    fn file() -> Vec<u8> {
        let mut file = b"THMB\x02\0\0\0\x05\0\0\0\0\0\0\0".to_vec();
        file.extend(b"model");
        file
    }

    #[test]
    fn a_key_that_was_written_signs_for_the_one_that_was_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("owner");
        let key = SigningKey::generate();
        let public = key.write(&path).unwrap();
        assert_eq!(public, folder.path().join("owner.pub"));
        assert!(fs::read_to_string(&public).unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let again = SigningKey::read(&path).unwrap();
        let signed = again.sign(&file(), Version { number: 7, replaces: 9 });
        assert_eq!(signed.len(), file().len() + VERSION_LEN + SIGNATURE_LEN);
        let trust = SignaturePolicy::Required(key.public());
        let checked = Checked { file: &file(), version: 7, replaces: 9 };
        assert_eq!(trust.check(&signed), Ok(checked));
        assert_eq!(
            SignaturePolicy::Required(SigningKey::generate().public()).check(&signed),
            Err(ModelRejected::Signature)
        );
        // It is not replaced, and the public half alone is in the way, too.
        assert!(matches!(key.write(&path), Err(Error::File { .. })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(key.write(&path), Err(Error::File { path, .. }) if path == public));
        assert!(!path.exists());
    }

    /// `openssl pkeyutl -sign -rawin` with a key of `openssl genpkey -algorithm ed25519`.
    #[test]
    fn a_signature_is_that_of_openssl() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        fs::write(
            &path,
            "-----BEGIN PRIVATE KEY-----\n\
             MC4CAQAwBQYDK2VwBCIEIChH0b3D/5bd3orvHEgLenxHXrsPSFArg+p/8Z55Qalr\n\
             -----END PRIVATE KEY-----\n",
        )
        .unwrap();
        let signature = SigningKey::read(&path).unwrap().signature(b"a model\n");
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            signature,
            "e9b7d70211263469bd4457491a0f517ce7e68d173f3adfc36e41740dd1378905\
             184c268ea735d9630b2c4e3aebacfd69306015370710b85dc50a2798d72a510b"
        );
    }

    #[test]
    fn neither_half_is_left_without_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("owner");
        // A link to nowhere does not exist, and cannot be made.
        #[cfg(unix)]
        std::os::unix::fs::symlink("/nowhere/at/all", folder.path().join("owner.pub")).unwrap();
        #[cfg(not(unix))]
        fs::create_dir(folder.path().join("owner.pub")).unwrap();
        assert!(SigningKey::generate().write(&path).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn a_file_without_a_key_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no-key");
        fs::write(&path, [0xff, 0, 1]).unwrap();
        let error = SigningKey::read(&path).err().expect("there is none").to_string();
        assert!(error.contains("no-key") && error.contains("new-key"), "{error}");
    }
}
