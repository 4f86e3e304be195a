//! FlatBuffers reader for untrusted files.
//!
//! A table is a position in the file. It begins with the offset of its vtable
//! (<https://flatbuffers.dev/internals/>). Each access is checked, in safe code and without
//! allocation. The `flatbuffers` crate would verify all tables of a schema first and then read
//! through `unsafe` accessors. For the dozen tables of an import, this is less code.

/// A read beyond the end of the file, which is truncated or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfFile;

/// A table of a FlatBuffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    file: &'a [u8],
    at: usize,
}

/// Returns N bytes at a position.
fn take<const N: usize>(file: &[u8], at: usize) -> Result<[u8; N], OutOfFile> {
    let bytes = file.get(at..).and_then(<[u8]>::first_chunk);
    bytes.copied().ok_or(OutOfFile)
}

/// Returns the position to which an unsigned offset points.
fn follow(file: &[u8], at: usize) -> Result<usize, OutOfFile> {
    let offset = u32::from_le_bytes(take(file, at)?) as usize;
    at.checked_add(offset).filter(|to| *to < file.len()).ok_or(OutOfFile)
}

impl<'a> Table<'a> {
    /// Returns the root table.
    pub(super) fn root(file: &'a [u8]) -> Result<Self, OutOfFile> {
        Ok(Table { file, at: follow(file, 0)? })
    }

    /// Returns the position of a field, if the table has it.
    fn field(self, number: usize) -> Result<Option<usize>, OutOfFile> {
        let back = i64::from(i32::from_le_bytes(take(self.file, self.at)?));
        let fields = usize::try_from(self.at as i64 - back).map_err(|_| OutOfFile)?;
        let size = usize::from(u16::from_le_bytes(take(self.file, fields)?));
        // After the sizes of vtable and table, 2 bytes each.
        let entry = 4 + 2 * number;
        if entry + 2 > size {
            return Ok(None);
        }
        match u16::from_le_bytes(take(self.file, fields.saturating_add(entry))?) {
            0 => Ok(None),
            offset => Ok(Some(self.at.saturating_add(offset.into()))),
        }
    }

    fn scalar<const N: usize>(self, number: usize) -> Result<Option<[u8; N]>, OutOfFile> {
        self.field(number)?.map(|at| take(self.file, at)).transpose()
    }

    /// Reads a byte. The schema's default is 0.
    pub(super) fn u8(self, number: usize) -> Result<u8, OutOfFile> {
        Ok(self.scalar(number)?.map_or(0, u8::from_le_bytes))
    }

    /// Reads a `u32`. The default is 0.
    pub(super) fn u32(self, number: usize) -> Result<u32, OutOfFile> {
        Ok(self.scalar(number)?.map_or(0, u32::from_le_bytes))
    }

    /// Reads a `u64`. The default is 0.
    pub(super) fn u64(self, number: usize) -> Result<u64, OutOfFile> {
        Ok(self.scalar(number)?.map_or(0, u64::from_le_bytes))
    }

    /// Reads an `f32`. The default is 0.
    pub(super) fn f32(self, number: usize) -> Result<f32, OutOfFile> {
        Ok(self.scalar(number)?.map_or(0.0, f32::from_le_bytes))
    }

    /// Reads another table.
    pub(super) fn table(self, number: usize) -> Result<Option<Self>, OutOfFile> {
        let Some(at) = self.field(number)? else { return Ok(None) };
        Ok(Some(Table { file: self.file, at: follow(self.file, at)? }))
    }

    /// Returns the elements of a vector, N bytes each. Empty if the table does not have it.
    pub(super) fn vector<const N: usize>(self, number: usize) -> Result<&'a [[u8; N]], OutOfFile> {
        let Some((start, count)) = self.vector_at(number)? else { return Ok(&[]) };
        let len = count.checked_mul(N).ok_or(OutOfFile)?;
        let end = start.checked_add(len).ok_or(OutOfFile)?;
        Ok(self.file.get(start..end).ok_or(OutOfFile)?.as_chunks().0)
    }

    /// Returns a vector of bytes.
    pub(super) fn bytes(self, number: usize) -> Result<&'a [u8], OutOfFile> {
        self.vector::<1>(number).map(<[[u8; 1]]>::as_flattened)
    }

    /// Reads a string. Invalid UTF-8 is replaced by U+FFFD.
    pub(super) fn text(self, number: usize) -> Result<String, OutOfFile> {
        self.bytes(number).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Reads a vector of `i32`.
    pub(super) fn i32s(self, number: usize) -> Result<Vec<i32>, OutOfFile> {
        Ok(self.vector(number)?.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect())
    }

    /// Returns a vector of tables.
    pub(super) fn tables(self, number: usize) -> Result<Tables<'a>, OutOfFile> {
        let offsets = self.vector(number)?;
        let at = self.vector_at(number)?.map_or(0, |(start, _)| start);
        Ok(Tables { file: self.file, at, offsets })
    }

    /// Returns position and number of a vector's elements.
    fn vector_at(self, number: usize) -> Result<Option<(usize, usize)>, OutOfFile> {
        let Some(at) = self.field(number)? else { return Ok(None) };
        let start = follow(self.file, at)?;
        let count = u32::from_le_bytes(take(self.file, start)?) as usize;
        Ok(Some((start.saturating_add(4), count)))
    }
}

/// A vector of tables, which are read on access.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables<'a> {
    file: &'a [u8],
    at: usize,
    offsets: &'a [[u8; 4]],
}

impl<'a> Tables<'a> {
    /// Returns the number of tables.
    pub(super) fn len(self) -> usize {
        self.offsets.len()
    }

    /// Returns the table of this index, if it exists.
    pub(super) fn get(self, index: usize) -> Result<Option<Table<'a>>, OutOfFile> {
        if index >= self.offsets.len() {
            return Ok(None);
        }
        let at = follow(self.file, self.at.saturating_add(index.saturating_mul(4)))?;
        Ok(Some(Table { file: self.file, at }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root table with a byte 7 as field 0, no field 1, a vector of two u16 as field 2, and a
    /// vector of itself as field 3.
    fn file() -> Vec<u8> {
        let mut file = vec![16, 0, 0, 0];
        // The list of fields at 4: its size, that of the table, then the places.
        for entry in [12u16, 16, 4, 0, 8, 12] {
            file.extend(entry.to_le_bytes());
        }
        // The table at 16: back to the list, then the fields.
        file.extend(12i32.to_le_bytes());
        file.extend([7, 0, 0, 0]);
        file.extend(8u32.to_le_bytes());
        file.extend(12u32.to_le_bytes());
        // At 32 the numbers, at 40 the tables: the distance to 16 is negative, so to a copy.
        file.extend([2, 0, 0, 0, 1, 0, 2, 0]);
        file.extend([1, 0, 0, 0, 4, 0, 0, 0]);
        file.extend(44i32.to_le_bytes());
        file.extend([9, 0, 0, 0]);
        file
    }

    #[test]
    fn fields_are_read() {
        let file = file();
        let root = Table::root(&file).unwrap();
        assert_eq!((root.u8(0), root.u8(1), root.u8(9)), (Ok(7), Ok(0), Ok(0)));
        assert_eq!(root.vector::<2>(2), Ok(&[[1, 0], [2, 0]][..]));
        let tables = root.tables(3).unwrap();
        assert_eq!(tables.len(), 1);
        assert_eq!(tables.get(0).unwrap().unwrap().u8(0), Ok(9));
        assert!(tables.get(1).unwrap().is_none());
        assert!(root.table(1).unwrap().is_none());
    }

    #[test]
    fn no_byte_outside_of_the_file_is_read() {
        let whole = file();
        let visit = |file: &[u8]| -> Result<(), OutOfFile> {
            let root = Table::root(file)?;
            root.u8(0)?;
            root.i32s(2)?;
            let tables = root.tables(3)?;
            for index in 0..tables.len() {
                tables.get(index)?.map(|table| table.u64(0));
            }
            Ok(())
        };
        for len in 0..whole.len() {
            // A byte more or less of padding at the end is nobody's.
            let _ = visit(&whole[..len]);
        }
        assert_eq!(visit(&whole[..40]), Err(OutOfFile));
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = visit(&damaged);
            }
        }
    }
}
