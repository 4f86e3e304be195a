//! Files of the computer, by semihosting: as fast as the host, unlike the emulated UART; among them
//! that of random numbers.

use semihosting::fs::File;
use semihosting::io::{Read, Write};

use crate::command::FileName;
use crate::failure::Failure;

/// A file that is read from its beginning to its end.
pub struct InputFile(File);

impl InputFile {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`Failure::File`] if the computer refuses.
    pub fn open(name: &FileName) -> Result<Self, Failure> {
        File::open(name.as_c_str()).map(InputFile).map_err(Failure::file("opening IN"))
    }

    /// Reads until `buffer` is full or the file ends; returns how much was read.
    ///
    /// # Errors
    /// [`Failure::File`] if the computer fails to read.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..)
            && !rest.is_empty()
        {
            match self.0.read(rest).map_err(Failure::file("reading IN"))? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }

    /// Reads exactly `buffer.len()` bytes.
    ///
    /// # Errors
    /// [`Failure::Content`] if the file ends before, [`Failure::File`] if it can't be read.
    pub fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        if self.fill(buffer)? == buffer.len() {
            Ok(())
        } else {
            Err(Failure::Content("IN ends in the middle of a record"))
        }
    }
}

/// Random bytes of the computer's kernel; none where it has no such file.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    let mut file = InputFile(File::open(c"/dev/urandom").ok()?);
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// A file that is written from its beginning.
pub struct OutputFile(File);

impl OutputFile {
    /// Creates a file, or empties the one that is there.
    ///
    /// # Errors
    /// [`Failure::File`] if the computer refuses.
    pub fn create(name: &FileName) -> Result<Self, Failure> {
        File::create(name.as_c_str()).map(OutputFile).map_err(Failure::file("creating OUT"))
    }

    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// [`Failure::File`] if the computer fails to write, for example because its disk is full.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).map_err(Failure::file("writing OUT"))
    }
}
