//! `evolora model list|info|download` as a person runs them, the hub played by a server on this machine that cuts
//! connections off, damages files and refuses, as real ones do.
#![cfg(feature = "download")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use sha2::{Digest, Sha256};

/// The shipped model serves as the file to fetch: it can be run afterwards.
fn model() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/evolora-206k.gguf")).unwrap()
}

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Sends a third of what is asked for and hangs up, this many times.
    CutsOff(usize),
    /// Changes a byte.
    Damages,
    /// Answers with this status.
    Says(u16),
}

/// A hub with one repository, and what it was asked.
struct FakeHub {
    endpoint: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeHub {
    fn start(files: Vec<(&'static str, Vec<u8>)>, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        // The thread ends with the test's process; a test asks a few dozen times at most.
        std::thread::spawn(move || {
            let mut cuts = if let Fault::CutsOff(times) = fault { times } else { 0 };
            for stream in listener.incoming().take(100) {
                answer(stream.unwrap(), &files, fault, &mut cuts, &log);
            }
        });
        Self { endpoint, asked }
    }
}

fn answer(mut stream: TcpStream, files: &[(&str, Vec<u8>)], fault: Fault, cuts: &mut usize, log: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    let header =
        |name: &str| headers.iter().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
    let range = header("range").unwrap_or_default();
    log.lock().unwrap().push(format!("{first} {range} {}", header("authorization").unwrap_or_default()));
    if let Fault::Says(status) = fault {
        write!(stream, "HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        return;
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    if path.contains("/api/") {
        let names: Vec<_> = files.iter().map(|(name, _)| serde_json::json!({"rfilename": name})).collect();
        let body = serde_json::json!({"sha": "c0ffee", "siblings": names}).to_string();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
        return;
    }
    let Some((_, whole)) = files.iter().find(|(name, _)| path.ends_with(name)) else {
        write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        return;
    };
    let (begin, end) = range.trim_start_matches("bytes=").split_once('-').unwrap_or(("0", ""));
    let begin: usize = begin.parse().unwrap_or(0);
    let end = end.parse::<usize>().map_or(whole.len(), |end| end + 1).min(whole.len());
    let mut body = whole[begin.min(end)..end].to_vec();
    let etag: String = Sha256::digest(whole).iter().map(|byte| format!("{byte:02x}")).collect();
    write!(
        stream,
        "HTTP/1.1 206 Partial\r\nETag: \"{etag}\"\r\nX-Repo-Commit: c0ffee\r\nContent-Length: {}\r\nContent-Range: bytes {begin}-{}/{}\r\nConnection: close\r\n\r\n",
        body.len(),
        end.saturating_sub(1),
        whole.len()
    )
    .unwrap();
    if fault == Fault::Damages && body.len() > 1 {
        body[0] ^= 1;
    }
    if body.len() > 1 && *cuts > 0 {
        *cuts -= 1;
        body.truncate(body.len() / 3);
    }
    let _ = stream.write_all(&body);
}

/// Runs the program in a folder of its own, with a cache of its own.
fn run(folder: &Path, hub: Option<&FakeHub>, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolora"));
    command.args(arguments).current_dir(folder);
    for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE", "MODEL_PATH"] {
        command.env_remove(name);
    }
    command.env("HF_HOME", folder.join("hf")).env("HF_ENDPOINT", hub.map_or("http://127.0.0.1:9", |hub| &hub.endpoint));
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(output));
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    complaint
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() && !path.is_symlink() { files_below(&path) } else { vec![path] }).collect()
}

const GGUF: [&str; 2] = ["Tiny.Q4_K_M.gguf", "Tiny.Q8_0.gguf"];

#[test]
fn a_model_is_fetched_through_broken_connections_and_runs_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(vec![(GGUF[0], model()), (GGUF[1], b"GGUFother".to_vec())], Fault::CutsOff(2));
    let variables = [("HF_TOKEN", "secret")];
    let done = run(folder.path(), Some(&hub), &variables, &["model", "download", "smollm-135m-instruct"]);
    assert!(done.status.success(), "{}{}", text(&done), String::from_utf8_lossy(&done.stderr));
    assert!(text(&done).contains("SHA-256 is right") && text(&done).contains("--model smollm-135m-instruct"));
    let asked = hub.asked.lock().unwrap().clone();
    // It went on where it was cut off: a third, then a third of the rest.
    let whole = model().len();
    let (first, second) = (whole / 3, whole / 3 + (whole - whole / 3) / 3);
    for from in [0, first, second] {
        assert!(asked.iter().any(|line| line.contains(&format!("bytes={from}- "))), "{from}: {asked:#?}");
    }
    assert!(asked.iter().all(|line| line.ends_with("bearer secret")), "{asked:#?}");
    let listed = text(&run(folder.path(), None, &[], &["model", "list"]));
    assert!(
        listed
            .lines()
            .any(|line| line.trim_start().starts_with("smollm-135m-instruct ") && line.contains("Q4_K_M.gguf"))
    );
    // What lies there is the shipped model: it answers, without the network.
    let offline = [("HF_HUB_OFFLINE", "1")];
    let arguments = ["agent", "--model", "smollm-135m-instruct", "--turns", "1", "--json"];
    let played = run(folder.path(), None, &offline, &arguments);
    assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
    let shipped = run(folder.path(), None, &offline, &["agent", "--turns", "1", "--json"]);
    let answer = |output: &Output| {
        let turn: serde_json::Value = serde_json::from_str(text(output).lines().next().unwrap()).unwrap();
        (turn["prompt"].clone(), turn["actions"].clone())
    };
    assert_eq!(answer(&played), answer(&shipped));
}

#[test]
fn a_model_that_is_there_is_not_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(vec![(GGUF[0], model())], Fault::None);
    let fetch = || run(folder.path(), Some(&hub), &[], &["model", "download", "a/tiny"]);
    assert!(fetch().status.success());
    let bytes = |hub: &FakeHub| hub.asked.lock().unwrap().iter().filter(|line| line.contains("bytes=0- ")).count();
    assert_eq!(bytes(&hub), 1);
    assert!(fetch().status.success());
    assert_eq!(bytes(&hub), 1);
}

#[test]
fn without_the_network_the_cache_serves() {
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(vec![(GGUF[0], model()), (GGUF[1], b"GGUFother".to_vec())], Fault::None);
    let offline = [("HF_HUB_OFFLINE", "1")];
    let find = |word: &str| run(folder.path(), None, &offline, &["model", "download", word]);
    let nothing = complaint(&find("a/tiny"));
    let expected = "HF_HUB_OFFLINE forbids to fetch a/tiny, of which ";
    assert!(nothing.contains(expected) && nothing.contains("hub holds nothing: unset it"), "{nothing}");
    assert!(run(folder.path(), Some(&hub), &[], &["model", "download", "a/tiny"]).status.success());
    let found = find("a/tiny");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    let place = text(&found).lines().find_map(|line| line.strip_prefix("it lies in ").map(PathBuf::from)).unwrap();
    assert!(place.ends_with(format!("snapshots/c0ffee/{}", GGUF[0])), "{}", place.display());
    assert_eq!(fs::read(place).unwrap(), model());
    let other = complaint(&find(&format!("a/tiny/{}", GGUF[1])));
    assert!(other.contains("holds a part only (it holds no Tiny.Q8_0.gguf): unset it"), "{other}");
}

#[test]
fn a_damaged_file_is_refused_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(vec![(GGUF[0], model())], Fault::Damages);
    let done = run(folder.path(), Some(&hub), &[], &["model", "download", "a/tiny"]);
    let complaint = complaint(&done);
    assert!(complaint.contains("came damaged: its SHA-256 is not"), "{complaint}");
    let left = files_below(folder.path());
    assert!(left.iter().all(|path| fs::metadata(path).is_ok_and(|data| data.len() < 100)), "{left:#?}");
}

#[test]
fn a_folder_takes_its_tokenizer_from_elsewhere_where_it_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/gpt-neo-hf");
    let file = |name: &str| fs::read(reference.join(name)).unwrap();
    // The server gives every repository the same files: the list lacks the tokenizer only as its name is another.
    let hub = FakeHub::start(
        vec![
            ("config.json", file("config.json")),
            ("model.safetensors", file("model.safetensors")),
            ("x/tokenizer.json", vec![]),
            ("resolve/main/tokenizer.json", file("tokenizer.json")),
        ],
        Fault::None,
    );
    let done = run(folder.path(), Some(&hub), &[], &["model", "download", "tinystories-33m"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let info = run(folder.path(), None, &[], &["model", "info", "tinystories-33m", "--json"]);
    let info: serde_json::Value = serde_json::from_str(&text(&info)).unwrap();
    assert_eq!((&info["architecture"], &info["format"]), (&"gpt_neo".into(), &"safetensors".into()));
    assert_eq!(info["name"], "tinystories-33m");
    let offline = [("HF_HUB_OFFLINE", "1")];
    let played = run(folder.path(), None, &offline, &["agent", "--model", "tinystories-33m", "--turns", "1", "--json"]);
    assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stderr));
    // A tokenizer that is lost is taken again from where the cache has it.
    let model = PathBuf::from(info["path"].as_str().unwrap());
    fs::remove_file(model.join("tokenizer.json")).unwrap();
    let again = || run(folder.path(), None, &offline, &["model", "download", "tinystories-33m"]);
    assert!(again().status.success());
    assert_eq!(fs::read(model.join("tokenizer.json")).unwrap(), file("tokenizer.json"));
    fs::remove_file(model.join("tokenizer.json")).unwrap();
    fs::remove_dir_all(folder.path().join("hf/hub/models--EleutherAI--gpt-neo-125m")).unwrap();
    assert!(complaint(&again()).contains("forbids to fetch EleutherAI/gpt-neo-125m"));
}

#[test]
fn what_cannot_be_fetched_is_said_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let download = |hub: Option<&FakeHub>, variables: &[(&str, &str)], word: &str| {
        complaint(&run(folder.path(), hub, variables, &["model", "download", word]))
    };
    let nobody = download(None, &[], "a/tiny");
    assert!(
        nobody.contains("a/tiny cannot be fetched from http://127.0.0.1:9") && nobody.contains("check the network")
    );
    let offline = download(None, &[("HF_HUB_OFFLINE", "1")], "a/tiny");
    assert!(offline.contains("HF_HUB_OFFLINE forbids"), "{offline}");
    let no = FakeHub::start(vec![], Fault::Says(404));
    assert!(download(Some(&no), &[], "a/tiny").contains("there is no such repository"));
    let closed = FakeHub::start(vec![], Fault::Says(401));
    assert!(download(Some(&closed), &[], "a/tiny").contains("HF_TOKEN"));
    let several = FakeHub::start(vec![("x.gguf", vec![]), ("y.gguf", vec![])], Fault::None);
    assert!(download(Some(&several), &[], "a/tiny").contains("with --file: x.gguf, y.gguf"));
    assert!(download(None, &[], "no such model").contains("evolora model list"));
    let bad = [("HF_ENDPOINT", "no address")];
    assert!(complaint(&run(folder.path(), None, &bad, &["model", "download", "a/b"])).contains("HF_ENDPOINT"));
}

#[test]
fn a_model_that_is_not_there_or_broken_or_would_not_fit_is_said_before_anything_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let missing = complaint(&run(folder.path(), None, &[], &["headless", "--model", "smollm-135m-instruct"]));
    let expected = "There is no model at smollm-135m-instruct. There is models/evolora-206k.gguf. `evolora model download smollm-135m-instruct` fetches";
    assert!(missing.contains(expected), "{missing}");
    let place = |name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder.path().join("models")).unwrap();
        fs::write(folder.path().join("models").join(name), bytes).unwrap();
    };
    place("whole.gguf", &model());
    place("broken.gguf", b"GGUF");
    for command in [&["headless"][..], &["agent"], &["model", "info"]] {
        let arguments = [command, &["--model", "models/broken.gguf"]].concat();
        let broken = complaint(&run(folder.path(), None, &[], &arguments));
        let expected = "models/broken.gguf cannot be used: the file ends within the version. There are \
                        models/evolora-206k.gguf, ./models/whole.gguf. `evolora model download";
        assert!(broken.contains(expected), "{broken}");
    }
    let kind = ["headless", "--model", "models/whole.gguf", "--set", "model.kind=mlx"];
    let kind = complaint(&run(folder.path(), None, &[], &kind));
    assert_eq!(kind, "evolora: MODEL_TYPE is mlx, and models/whole.gguf holds GGUF: auto takes what is there.");
    let arguments = ["headless", "--agents", "200", "--habitats", "10000", "--set", "lora.rank=256"];
    let large = complaint(&run(folder.path(), None, &[], &arguments));
    assert!(large.contains("MiB are free"), "{large}");
}
