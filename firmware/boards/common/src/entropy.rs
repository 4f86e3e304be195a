//! Random numbers of the chip.

use firmware::app::NONCE_LEN;

/// A chip's source of random numbers. It is linked where commands need a signature, and nowhere else.
#[derive(Clone, Copy)]
pub struct Entropy {
    #[cfg(feature = "signed-commands")]
    read: fn() -> Option<[u8; NONCE_LEN]>,
}

impl Entropy {
    /// For a board that has none.
    pub const NONE: Entropy = Entropy::new(|| None);

    /// Entropy that this function reads; none where it fails.
    pub const fn new(read: fn() -> Option<[u8; NONCE_LEN]>) -> Self {
        #[cfg(not(feature = "signed-commands"))]
        let _ = read;
        Entropy {
            #[cfg(feature = "signed-commands")]
            read,
        }
    }

    /// The next bytes.
    pub(crate) fn next(self) -> Option<[u8; NONCE_LEN]> {
        #[cfg(feature = "signed-commands")]
        return (self.read)();
        #[cfg(not(feature = "signed-commands"))]
        None
    }
}
