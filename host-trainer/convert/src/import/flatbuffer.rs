//! Reading FlatBuffers without trusting them.
//!
//! A table is a position in the file; before it lies the distance to the list of its fields'
//! places (<https://flatbuffers.dev/internals/>). Every access is checked where it is made, in safe
//! code and without an allocation, so that no file can do more than be refused. The `flatbuffers`
//! crate would check all of a schema's tables beforehand and then read without checks, through
//! `unsafe` accessors: for the dozen tables that an import looks at, this is less code.

/// A read outside of the file: it is cut off or damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfFile;

/// A table of a FlatBuffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    file: &'a [u8],
    at: usize,
}

/// So many bytes at a position.
fn take<const N: usize>(file: &[u8], at: usize) -> Result<[u8; N], OutOfFile> {
    let bytes = file.get(at..).and_then(<[u8]>::first_chunk);
    bytes.copied().ok_or(OutOfFile)
}

/// The position that an unsigned offset leads to.
fn follow(file: &[u8], at: usize) -> Result<usize, OutOfFile> {
    let offset = u32::from_le_bytes(take(file, at)?) as usize;
    at.checked_add(offset).filter(|to| *to < file.len()).ok_or(OutOfFile)
}

impl<'a> Table<'a> {
    /// The table that the file begins with.
    pub(super) fn root(file: &'a [u8]) -> Result<Self, OutOfFile> {
        Ok(Table { file, at: follow(file, 0)? })
    }

    /// Where a field lies, if the table has it.
    fn field(self, number: usize) -> Result<Option<usize>, OutOfFile> {
        let back = i64::from(i32::from_le_bytes(take(self.file, self.at)?));
        let fields = usize::try_from(self.at as i64 - back).map_err(|_| OutOfFile)?;
        let size = usize::from(u16::from_le_bytes(take(self.file, fields)?));
        // Behind the sizes of the list and of the table, 2 bytes each.
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

    /// A byte; the schema's default, 0, if the table does not have it.
    pub(super) fn u8(self, number: usize) -> Result<u8, OutOfFile> {
        Ok(self.scalar(number)?.map_or(0, u8::from_le_bytes))
    }

    /// An unsigned number; 0 if the table does not have it.
    pub(super) fn u32(self, number: usize) -> Result<u32, OutOfFile> {
        Ok(self.scalar(number)?.map_or(0, u32::from_le_bytes))
    }

    /// An unsigned number of 64 bits; 0 if the table does not have it.
    pub(super) fn u64(self, number: usize) -> Result<u64, OutOfFile> {
        Ok(self.scalar(number)?.map_or(0, u64::from_le_bytes))
    }

    /// A float; 0 if the table does not have it.
    pub(super) fn f32(self, number: usize) -> Result<f32, OutOfFile> {
        Ok(self.scalar(number)?.map_or(0.0, f32::from_le_bytes))
    }

    /// Another table.
    pub(super) fn table(self, number: usize) -> Result<Option<Self>, OutOfFile> {
        let Some(at) = self.field(number)? else { return Ok(None) };
        Ok(Some(Table { file: self.file, at: follow(self.file, at)? }))
    }

    /// The bytes of a vector whose elements have N bytes each; none if the table lacks it.
    pub(super) fn vector<const N: usize>(self, number: usize) -> Result<&'a [[u8; N]], OutOfFile> {
        let Some((start, count)) = self.vector_at(number)? else { return Ok(&[]) };
        let len = count.checked_mul(N).ok_or(OutOfFile)?;
        let end = start.checked_add(len).ok_or(OutOfFile)?;
        Ok(self.file.get(start..end).ok_or(OutOfFile)?.as_chunks().0)
    }

    /// The bytes of a vector of bytes.
    pub(super) fn bytes(self, number: usize) -> Result<&'a [u8], OutOfFile> {
        self.vector::<1>(number).map(<[[u8; 1]]>::as_flattened)
    }

    /// A text; what is no UTF-8 in it is replaced.
    pub(super) fn text(self, number: usize) -> Result<String, OutOfFile> {
        self.bytes(number).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// A vector of signed numbers.
    pub(super) fn i32s(self, number: usize) -> Result<Vec<i32>, OutOfFile> {
        Ok(self.vector(number)?.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect())
    }

    /// A vector of tables.
    pub(super) fn tables(self, number: usize) -> Result<Tables<'a>, OutOfFile> {
        let offsets = self.vector(number)?;
        let at = self.vector_at(number)?.map_or(0, |(start, _)| start);
        Ok(Tables { file: self.file, at, offsets })
    }

    /// Where the elements of a vector begin, and how many there are.
    fn vector_at(self, number: usize) -> Result<Option<(usize, usize)>, OutOfFile> {
        let Some(at) = self.field(number)? else { return Ok(None) };
        let start = follow(self.file, at)?;
        let count = u32::from_le_bytes(take(self.file, start)?) as usize;
        Ok(Some((start.saturating_add(4), count)))
    }
}

/// A vector of tables, each found when it is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables<'a> {
    file: &'a [u8],
    at: usize,
    offsets: &'a [[u8; 4]],
}

impl<'a> Tables<'a> {
    /// How many there are.
    pub(super) fn len(self) -> usize {
        self.offsets.len()
    }

    /// The table of this index, if there are as many.
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
