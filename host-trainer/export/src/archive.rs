//! Static libraries of one object file.
//!
//! The library that the Rust compiler writes has that object and those of its own run-time library,
//! whose symbols C's compilers have, too. Only the first is kept. The format is the System V variant of
//! `ar`, as GNU's and LLVM's linkers read it.

/// First bytes of every archive.
const MAGIC: &[u8] = b"!<arch>\n";
/// Bytes of a member's header.
const HEADER_LEN: usize = 60;

/// Reason why an archive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Not in the format of `ar`, or cut off.
    #[error("the compiler's library is no archive, or is cut off")]
    Format,
    /// No member has the name.
    #[error("the compiler's library has no object of the package")]
    Missing,
}

/// Returns an archive with only the member whose name begins with `prefix`, as `NAME.o`, and an index
/// of these symbols, which it must define.
///
/// # Errors
/// [`ArchiveError`].
pub fn single_object(
    archive: &[u8],
    prefix: &str,
    name: &str,
    symbols: &[&str],
) -> Result<Vec<u8>, ArchiveError> {
    let object = find(archive, prefix)?;
    let mut names = Vec::new();
    for symbol in symbols {
        names.extend(symbol.as_bytes());
        names.push(0);
    }
    let index_len = 4 + 4 * symbols.len() + names.len();
    let offset = MAGIC.len() + HEADER_LEN + index_len.next_multiple_of(2);
    let mut index = (symbols.len() as u32).to_be_bytes().to_vec();
    symbols.iter().for_each(|_| index.extend((offset as u32).to_be_bytes()));
    index.extend(names);
    let mut written = MAGIC.to_vec();
    member(&mut written, "/", &index);
    member(&mut written, &format!("{name}.o/"), object);
    Ok(written)
}

/// Appends a member, with neither time nor owner: the same object gives the same archive.
fn member(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    let len = content.len();
    archive.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{len:<10}`\n", 0, 0, 0, 644).bytes());
    archive.extend(content);
    if !len.is_multiple_of(2) {
        archive.push(b'\n');
    }
}

/// Finds the content of a member.
fn find<'a>(archive: &'a [u8], prefix: &str) -> Result<&'a [u8], ArchiveError> {
    let mut rest = archive.strip_prefix(MAGIC).ok_or(ArchiveError::Format)?;
    let mut long_names: &[u8] = &[];
    while !rest.is_empty() {
        let (header, behind) = rest.split_at_checked(HEADER_LEN).ok_or(ArchiveError::Format)?;
        let field = |range: std::ops::Range<usize>| {
            header.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).map(str::trim_end)
        };
        let number = |text: &str| text.parse::<usize>().ok();
        let len = field(48..58).and_then(number).ok_or(ArchiveError::Format)?;
        let (content, behind) = behind.split_at_checked(len).ok_or(ArchiveError::Format)?;
        let name = field(0..16).ok_or(ArchiveError::Format)?;
        // A long name is an offset into the member `//`, which stands before.
        let start = name.strip_prefix('/').and_then(number);
        let name =
            start.map_or(name.as_bytes(), |start| long_names.get(start..).unwrap_or_default());
        if name == b"//" {
            long_names = content;
        } else if name.starts_with(prefix.as_bytes()) {
            return Ok(content);
        }
        rest = behind.get(len % 2..).unwrap_or_default();
    }
    Err(ArchiveError::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_member_is_kept_and_the_others_are_not() {
        let mut archive = MAGIC.to_vec();
        member(&mut archive, "//", b"other-with-a-long-name.o/\nours-with-a-long-name.o/\n");
        member(&mut archive, "/0", b"abc");
        member(&mut archive, "/26", b"wanted");
        let single = single_object(&archive, "ours-", "ours", &["one", "two"]).unwrap();
        assert_eq!(find(&single, "ours.o"), Ok(b"wanted".as_slice()));
        assert_eq!(find(&single, "other"), Err(ArchiveError::Missing));
        // 2 symbols, at the offset of the object's header.
        let index = find(&single, "/").unwrap();
        let offset = u32::from_be_bytes(index[4..8].try_into().unwrap()) as usize;
        assert!(single[offset..].starts_with(b"ours.o/ "));
        assert_eq!(
            (&index[..4], &index[12..]),
            ([0, 0, 0, 2].as_slice(), b"one\0two\0".as_slice())
        );
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let mut archive = MAGIC.to_vec();
        member(&mut archive, "ours.o/", b"wanted");
        for len in [0, 5, 20, archive.len() - 1] {
            let cut = single_object(&archive[..len], "ours", "ours", &[]);
            assert_eq!(cut, Err(ArchiveError::Format), "{len}");
        }
        assert_eq!(single_object(MAGIC, "ours", "ours", &[]), Err(ArchiveError::Missing));
    }
}
