//! Files of a directory, read with bounds.

use std::{fs, io, path::Path};

use crate::files::read;

/// Longest file that is read. libcni's are some kilobytes.
const LONGEST: u64 = 1 << 20;
/// Most files of one directory. A node has a few hundred pods, but leftovers pile up.
const MOST: usize = 20_000;

/// Hands each regular file of `directory` to `each`, with its name; what cannot be read goes to `notes`. A directory that
/// is not there has no files.
pub(super) fn each(
    directory: &Path,
    notes: &mut Vec<String>,
    mut each: impl FnMut(&str, &[u8]) -> Result<(), String>,
) {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => return notes.push(format!("cannot read {}: {error}", directory.display())),
        Ok(entries) => entries,
    };
    let (mut failed, mut first) = (0_usize, None);
    for (count, entry) in entries.flatten().enumerate() {
        if count >= MOST {
            notes
                .push(format!("{} has more than {MOST} files: the others are left out", directory.display()));
            break;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let outcome = match read(&entry.path(), LONGEST) {
            Ok(Some(bytes)) => each(&name, &bytes),
            Ok(None) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(cause) = outcome {
            failed += 1;
            first.get_or_insert(format!("{name}: {cause}"));
        }
    }
    if let Some(first) = first {
        notes.push(format!("{failed} file(s) of {} left out, such as {first}", directory.display()));
    }
}
