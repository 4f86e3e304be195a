//! Durability: files are synchronized before they replace others, and their folder afterwards.
//!
//! A preloaded library (`LD_PRELOAD`) records writes and synchronization. It does not record
//! renames, which may be system calls without a library function. A file that was synchronized
//! under its temporary name, and exists under its final one, was renamed afterwards.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::workspace::{cached, content_key, empty_dir, read, write};

const RECORDER: &str = r#"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The file that was synchronized last. */
static char last[4096];

static void record(int is_sync, int fd) {
    const char *log = getenv("THIMBLE_RECORD");
    struct stat file;
    if (!log || fstat(fd, &file) || !(S_ISREG(file.st_mode) || S_ISDIR(file.st_mode))) return;
    char link[64], path[4096], line[4200];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    const char *what = is_sync ? "sync" : "write";
    if (S_ISDIR(file.st_mode)) {
        what = access(last, F_OK) ? "folder" : "early";
    } else if (is_sync) {
        snprintf(last, sizeof last, "%s", path);
    }
    int count = snprintf(line, sizeof line, "%s %llu %s\n", what, (unsigned long long)file.st_ino, path);
    int out = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    syscall(SYS_write, out, line, count);
    syscall(SYS_close, out);
}

int fsync(int fd) { record(1, fd); return syscall(SYS_fsync, fd); }
int fdatasync(int fd) { record(1, fd); return syscall(SYS_fdatasync, fd); }
ssize_t write(int fd, const void *bytes, size_t count) {
    record(0, fd);
    return syscall(SYS_write, fd, bytes, count);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    record(0, fd);
    return syscall(SYS_writev, fd, parts, count);
}
"#;

/// Builds the recording library.
fn recorder() -> PathBuf {
    let name = format!("recorder-{}.so", content_key(&[RECORDER.as_bytes()]));
    cached(&name, |library| {
        let source = library.with_extension("c");
        write(&source, RECORDER);
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-D_GNU_SOURCE", "-o"]).args([library, &source]);
        Finished::of(&mut compiler).success();
    })
}

/// Runs `host-trainer`, and asserts that each of these files was made durable.
fn durable(folder: &Path, arguments: &[&str], files: &[&str]) {
    let log = folder.join("record");
    let _ = fs::remove_file(&log);
    let mut command = host_trainer(folder, arguments);
    Finished::of(command.env("LD_PRELOAD", recorder()).env("THIMBLE_RECORD", &log)).success();
    let record = String::from_utf8(read(&log)).expect("names of this test are text");
    for file in files {
        let path = fs::canonicalize(folder.join(file)).expect("the command has written it");
        let inode = fs::metadata(&path).expect("it is there").ino().to_string();
        let parent = path.parent().expect("a file lies in a folder").to_str().expect("text");
        let lines = record.lines().map(|line| line.splitn(3, ' ').collect::<Vec<_>>());
        // Inodes are reused, so that only the last use of each counts.
        let mut steps = Vec::new();
        for line in lines {
            let [what, of, path] = line[..] else { panic!("{line:?}") };
            match what {
                "folder" | "early" if path == parent => steps.push(what),
                "write" if of == inode => steps.push("write"),
                "sync" if of == inode => {
                    let name = path.rsplit_once('/').expect("a path from the root").1;
                    assert!(
                        name.starts_with(".thimble-"),
                        "{path} has its name before its content"
                    );
                    steps.push("sync");
                }
                _ => {}
            }
        }
        let last = |step| steps.iter().rposition(|found| *found == step);
        let (written, synced) = (last("write"), last("sync"));
        assert!(synced.is_some(), "{file} is renamed without fsync: {record}");
        assert!(written < synced, "{file} is written after fsync: {record}");
        let next = synced.and_then(|synced| steps.get(synced + 1));
        assert_eq!(next, Some(&"folder"), "after {file} its folder is synchronized: {record}");
    }
}

#[test]
fn every_file_is_on_the_disk_before_it_replaces_another() {
    let folder = empty_dir("durability");
    let rows = (0..40).map(|row| format!("{},{},{}\n", row % 7, row % 5, ["a", "b"][row % 2]));
    write(folder.join("rows.csv"), format!("x,y,kind\n{}", rows.collect::<String>()));
    write(
        folder.join("rows.toml"),
        r#"
        name = "rows"
        [data]
        dataset = { csv = { file = "rows.csv", target = { classes = "kind" } } }
        test = { stratified = { fraction = 0.25 } }
        [network]
        layers = [{ dense = { units = 2 } }]
        [training]
        epochs = 2
        batch_size = 8
        optimizer = { adam = { learning_rate = 0.02 } }
        "#,
    );
    let run = [
        "run.json",
        "preset.toml",
        "weights.safetensors",
        "history.csv",
        "curves.svg",
        "metrics.json",
        "model.thimble",
        "report.html",
    ];
    let run = run.map(|name| format!("runs/rows/{name}"));
    let run: Vec<&str> = run.iter().map(String::as_str).collect();
    // The second run replaces each of them.
    durable(&folder, &["train", "rows.toml"], &run);
    durable(&folder, &["train", "rows.toml"], &run);
    let model = "runs/rows/model.thimble";
    for _ in 0..2 {
        durable(
            &folder,
            &["pack", model, "--for", "cortex-m4", "-o", "packed.thimble"],
            &["packed.thimble"],
        );
        let quantize = ["quantize", "runs/rows", "--weights", "int4", "-o", "int4.thimble"];
        durable(&folder, &quantize, &["int4.thimble"]);
        durable(&folder, &["predict", model, "rows.csv", "-o", "answers.csv"], &["answers.csv"]);
    }
}
