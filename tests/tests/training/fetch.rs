//! Downloads of MNIST from faulty servers: every file in the folder is complete and correct.

use std::path::Path;

use thimble_tests::command::{Finished, host_trainer};
use thimble_tests::mirror::{Answer, Mirror, Request};
use thimble_tests::mnist;
use thimble_tests::workspace::{empty_dir, read, write};

fn fetch(folder: &Path, mirrors: &[&Mirror]) -> Finished {
    let mut arguments: Vec<String> =
        ["fetch", "mnist", "--data-dir", "data"].map(String::from).into();
    for mirror in mirrors {
        arguments.extend(["--mirror".into(), mirror.url()]);
    }
    Finished::of(&mut host_trainer(folder, arguments))
}

/// A server of the real files.
fn mirror(behavior: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Mirror {
    Mirror::start(&mnist::packed_folder(), behavior)
}

/// Returns the sorted names of the files in the folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("data")).expect("the folder is made").flatten();
    let mut names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into()).collect();
    names.sort();
    names
}

#[track_caller]
fn assert_complete(folder: &Path) {
    let mut expected = mnist::FILES.map(|name| format!("{name}.gz")).to_vec();
    expected.sort();
    assert_eq!(names(folder), expected, "the four files and nothing else");
    for name in expected {
        let served = read(mnist::packed_folder().join(&name));
        assert!(read(folder.join("data").join(&name)) == served, "{name} is not what was served");
    }
}

fn is(request: &Request, index: usize) -> bool {
    request.name == format!("{}.gz", mnist::FILES[index])
}

#[test]
fn four_files_are_downloaded_and_not_again() {
    let folder = empty_dir("fetch");
    let mirror = mirror(|_, _| Answer::Whole);
    fetch(&folder, &[&mirror]).success();
    assert_complete(&folder);
    assert_eq!(mirror.requests().len(), 4, "{:?}", mirror.requests());
    fetch(&folder, &[&mirror]).success();
    assert_eq!(mirror.requests().len(), 4, "what is there is not asked for again");
    let arguments = ["fetch", "mnist", "--data-dir", "data", "--json"];
    let said = Finished::of(&mut host_trainer(&folder, arguments)).success();
    let said: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(said, serde_json::json!({ "dataset": "mnist", "folder": "data" }));
}

#[test]
fn a_short_read_is_resumed_where_it_ended() {
    let folder = empty_dir("fetch_short");
    let mirror = mirror(|request, earlier| match earlier {
        0 if is(request, 2) => Answer::Cut(1000),
        _ => Answer::Whole,
    });
    fetch(&folder, &[&mirror]).success();
    assert_complete(&folder);
    let of_file: Vec<usize> =
        mirror.requests().iter().filter(|r| is(r, 2)).map(|request| request.from).collect();
    assert_eq!(of_file, [0, 1000]);
}

#[test]
fn an_interrupted_download_is_continued_by_the_next_command() {
    let folder = empty_dir("fetch_interrupted");
    let cuts = mirror(|request, _| if is(request, 0) { Answer::Cut(5000) } else { Answer::Whole });
    let said = fetch(&folder, &[&cuts]).refused(1, &[mnist::FILES[0], "5000"]);
    assert!(!said.stderr.contains("checked\n  train-images"), "{}", said.stderr);
    // No file exists that `train` would use.
    assert!(!names(&folder).iter().any(|name| *name == format!("{}.gz", mnist::FILES[0])));
    let whole = mirror(|_, _| Answer::Whole);
    fetch(&folder, &[&whole]).success();
    assert_complete(&folder);
    let first = &whole.requests()[0];
    assert!(is(first, 0) && first.from >= 5000, "it starts anew: {first:?}");
}

#[test]
fn a_server_that_cannot_resume_sends_all_again() {
    let folder = empty_dir("fetch_no_resume");
    let mirror = mirror(|request, earlier| match earlier {
        0 if is(request, 1) => Answer::Cut(100),
        _ => Answer::FromStart,
    });
    fetch(&folder, &[&mirror]).success();
    assert_complete(&folder);
}

#[test]
fn a_wrong_hash_is_refused_and_leaves_nothing() {
    let folder = empty_dir("fetch_wrong");
    // Another file under the first name: valid gzip, wrong content.
    let served = empty_dir("fetch_wrong_served");
    write(
        served.join(format!("{}.gz", mnist::FILES[0])),
        read(mnist::packed_folder().join(format!("{}.gz", mnist::FILES[1]))),
    );
    let wrong = Mirror::start(&served, |_, _| Answer::Whole);
    fetch(&folder, &[&wrong]).refused(1, &[mnist::FILES[0], "SHA-256", &wrong.url()]);
    assert_eq!(names(&folder), [""; 0], "nothing half-written is left behind");

    let damaged = mirror(|request, _| if is(request, 3) { Answer::Damaged } else { Answer::Whole });
    fetch(&folder, &[&damaged]).refused(1, &[mnist::FILES[3]]);
    assert_eq!(names(&folder).len(), 3, "{:?}", names(&folder));

    let good = mirror(|_, _| Answer::Whole);
    fetch(&folder, &[&good]).success();
    assert_complete(&folder);
}

#[test]
fn a_404_goes_on_to_the_second_mirror() {
    let folder = empty_dir("fetch_404");
    let (absent, good) = (mirror(|_, _| Answer::NotFound), mirror(|_, _| Answer::Whole));
    let said = fetch(&folder, &[&absent, &good]).success();
    assert!(said.stderr.contains("404"), "what went wrong is told: {}", said.stderr);
    assert_complete(&folder);
    assert_eq!(good.requests().len(), 4);
}

#[test]
fn without_any_good_mirror_every_attempt_is_told() {
    let folder = empty_dir("fetch_none");
    let absent = mirror(|_, _| Answer::NotFound);
    let gone = {
        let mirror = mirror(|_, _| Answer::Whole);
        mirror.url()
    };
    let arguments =
        ["fetch", "mnist", "--data-dir", "data", "--mirror", &absent.url(), "--mirror", &gone];
    Finished::of(&mut host_trainer(&folder, arguments))
        .refused(1, &["404", &absent.url(), &gone, mnist::FILES[0]]);
    assert_eq!(names(&folder), [""; 0]);
}

#[test]
fn a_wrong_file_that_is_already_there_is_replaced() {
    let folder = empty_dir("fetch_replace");
    std::fs::create_dir(folder.join("data")).expect("an empty folder");
    write(folder.join("data").join(format!("{}.gz", mnist::FILES[2])), "<html></html>");
    let part = folder.join("data").join(format!("{}.gz.part", mnist::FILES[3]));
    write(part, vec![7; 100_000]);
    let mirror = mirror(|_, _| Answer::Whole);
    fetch(&folder, &[&mirror]).success();
    assert_complete(&folder);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = empty_dir("fetch_bad_folder");
    write(folder.join("data"), "a file is in the way");
    let mirror = mirror(|_, _| Answer::Whole);
    fetch(&folder, &[&mirror]).refused(1, &["data", "cannot be created"]);
    assert!(mirror.requests().is_empty(), "nothing is downloaded for nowhere");
}

#[test]
fn what_cannot_be_fetched_is_refused_by_name() {
    let folder = empty_dir("fetch_unknown");
    for dataset in ["digits", "imagenet"] {
        Finished::of(&mut host_trainer(&folder, ["fetch", dataset])).refused(1, &[dataset]);
    }
}
