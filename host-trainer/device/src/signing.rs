//! Keys, and Ed25519 signatures of models and commands, which `firmware` verifies. The signed
//! message is the model file with its version, or the command with the device's nonce.
//!
//! Keys are PEM as OpenSSL writes and reads it: PKCS#8 for the secret key, SubjectPublicKeyInfo for
//! the public key.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use ed25519_compact::KeyPair;
use firmware::link::{Command, NONCE_LEN};
use firmware::signature::{PUBLIC_KEY_LEN, SIGNATURE_LEN, VERSION_MAGIC};

use super::Error;

/// Version in a model's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Number: a device refuses one below the highest that it has accepted.
    pub number: u32,
    /// The highest version that it may replace regardless; 0 for none.
    pub replaces: u32,
}

impl Version {
    /// The seconds since 1970, so that later signatures have higher versions.
    pub fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Sufficient until 2106.
        Version { number: u32::try_from(now.as_secs()).unwrap_or(u32::MAX), replaces: 0 }
    }
}

/// A key that signs models and commands.
pub struct SigningKey(KeyPair);

impl SigningKey {
    /// Generates a key from the system's source of randomness.
    pub fn generate() -> Self {
        SigningKey(KeyPair::generate())
    }

    /// Reads the secret key from a file.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Key`] if it contains no such key.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read(path).map_err(Error::file(path))?;
        KeyPair::from_pem(&String::from_utf8_lossy(&text))
            .map(SigningKey)
            .map_err(|_| Error::Key { path: path.into() })
    }

    /// Writes the secret key to a new file that only its owner may read, and the public key to a
    /// file with the suffix `.pub`, whose path it returns.
    ///
    /// # Errors
    /// [`Error::File`], also if one of the two exists: a key is not replaced.
    pub fn write(&self, path: &Path) -> Result<PathBuf, Error> {
        let mut public = path.as_os_str().to_owned();
        public.push(".pub");
        let public = PathBuf::from(public);
        // Checked before anything is written, so that neither file exists without the other.
        if public.exists() {
            return Err(Error::file(public)(io::ErrorKind::AlreadyExists.into()));
        }
        create(path, &self.0.sk.to_pem(), true)?;
        if let Err(error) = create(&public, &self.0.pk.to_pem(), false) {
            // Neither file is left when the other fails.
            let _ = fs::remove_file(path);
            return Err(error);
        }
        Ok(public)
    }

    /// Returns a model file with its version and signature appended, in the format of an update.
    pub fn sign(&self, model: &[u8], version: Version) -> Vec<u8> {
        let Version { number, replaces } = version;
        let mut signed = model.to_vec();
        signed.extend_from_slice(&VERSION_MAGIC);
        signed.extend_from_slice(&number.to_le_bytes());
        signed.extend_from_slice(&replaces.to_le_bytes());
        signed.extend_from_slice(&self.signature(&signed));
        signed
    }

    /// Signs a command for a device that has sent this nonce.
    pub fn sign_command(&self, command: Command, nonce: [u8; NONCE_LEN]) -> [u8; SIGNATURE_LEN] {
        self.signature(&command.signed_bytes(nonce))
    }

    /// Signs bytes.
    fn signature(&self, bytes: &[u8]) -> [u8; SIGNATURE_LEN] {
        *self.0.sk.sign(bytes, None)
    }

    /// Returns the public key in the firmware's format.
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
    // On other systems a new file has the permissions of its folder.
    #[cfg(not(unix))]
    let _ = secret;
    let mut file = options.open(path).map_err(Error::file(path))?;
    let written = file.write_all(content.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // This call created the file, and it contains no complete key.
        let _ = fs::remove_file(path);
        Error::file(path)(error)
    })
}

#[cfg(test)]
mod tests {
    use firmware::link::ModelRejected;
    use firmware::signature::{Checked, SignaturePolicy, VERSION_LEN};

    use super::*;

    /// A minimal model file for a signature: a header with its length.
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
        // It is not replaced, and a public key alone is an obstacle, too.
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
        // A dangling link does not exist, and cannot be created.
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
