//! Sources of a model: a parsed one, one that is built in, or the bytes of a file.

use core::marker::PhantomData;

use model_format::{AllOps, Capabilities, Error, Model};

/// A model file that is built into the program, with the capabilities that it needs.
///
/// [`include_model!`](crate::include_model) makes one, and so do build scripts.
#[derive(Clone, Copy, Debug)]
pub struct StaticModel<C = AllOps> {
    file: &'static [u8],
    capabilities: PhantomData<C>,
}

impl<C> StaticModel<C> {
    /// Wraps the bytes of a model file, which lie on a 4-byte boundary of the memory.
    pub const fn new(file: &'static [u8]) -> Self {
        StaticModel { file, capabilities: PhantomData }
    }

    /// The bytes of the file.
    pub const fn file(self) -> &'static [u8] {
        self.file
    }
}

impl<C: Capabilities> StaticModel<C> {
    /// Parses the model, as [`Engine::new`](crate::Engine::new) does by itself.
    ///
    /// # Errors
    /// Those of [`Model::parse`].
    pub fn parse(self) -> Result<Model<'static, C>, Error> {
        Model::parse_with_ops(self.file)
    }
}

/// Sources of a [`Model`] for [`Engine::new`](crate::Engine::new).
pub trait ModelSource<'m, C> {
    /// Returns the model, checked as [`Model::parse`] checks it.
    ///
    /// # Errors
    /// Those of [`Model::parse`].
    fn into_model(self) -> Result<Model<'m, C>, Error>;
}

impl<'m, C> ModelSource<'m, C> for Model<'m, C> {
    #[inline(always)]
    fn into_model(self) -> Result<Model<'m, C>, Error> {
        Ok(self)
    }
}

impl<C: Capabilities> ModelSource<'static, C> for StaticModel<C> {
    fn into_model(self) -> Result<Model<'static, C>, Error> {
        self.parse()
    }
}

impl<'m> ModelSource<'m, AllOps> for &'m [u8] {
    fn into_model(self) -> Result<Model<'m>, Error> {
        Model::parse(self)
    }
}

/// Builds a model file into the program, on a 4-byte boundary of the memory, as a
/// [`StaticModel`].
///
/// `include_model!(NAME, "path/of/model.thimble")` defines a constant of this name; the path is
/// relative to the source file. Every operator that the core has is linked. The model is checked when
/// [`Engine::new`](crate::Engine::new) parses it; the build-script crate `thimble-build` checks it
/// when the program is compiled, and links only the operators that the model uses.
///
/// # Example
/// ```
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// thimble_nn::include_model!(DIGITS, "../../models/digits.thimble");
///
/// let mut scratch = [0; 128];
/// let engine = thimble_nn::Engine::new(DIGITS, &mut scratch)?;
/// assert_eq!(engine.model().name(), "digits");
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! include_model {
    ($(#[$attribute:meta])* $visibility:vis $name:ident, $path:expr) => {
        $(#[$attribute])*
        $visibility const $name: $crate::StaticModel = $crate::StaticModel::new({
            #[repr(C, align(4))]
            struct Aligned<T: ?Sized>(T);
            static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!($path));
            &FILE.0
        });
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    include_model!(DIGITS, "../../models/digits.thimble");

    #[test]
    fn a_model_that_is_built_in_is_parsed() {
        let file: &[u8] = include_bytes!("../../models/digits.thimble");
        assert_eq!(DIGITS.file(), file);
        let of = |model: Result<Model<'_>, Error>| model.map(|model| model.checksum());
        let expected = of(Model::parse(file));
        assert!(expected.is_ok());
        assert_eq!(of(DIGITS.into_model()), expected);
        assert_eq!(of(file.into_model()), expected);
        assert_eq!(of(Model::parse(file).unwrap().into_model()), expected);
        assert!(of(file[1..].into_model()).is_err());
    }
}
