//! A client that brought its context as an archive: `POST /build`.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use archive::Limits;
use archive::unpack::{self, Target, unpack};
use builder::context::{Listing, Owner, Specials, Walk};
use builder::ignore::Ignore;
use rustix::fs::{Mode, OFlags};
use store::{Staged, Store};
use tokio::sync::OnceCell;

use super::super::bounded::decompressed;
use super::CONTEXT;
use super::contents::{Contents, Source};
use super::told::{self, Teller, Told};
use crate::error::{Error, Result, blocking};
use crate::http::BodyWriter;

/// A Dockerfile is small; what is not was meant for something else.
const LARGEST_DOCKERFILE: u64 = 16 << 20;
const IGNORE: &str = ".dockerignore";
const THREADS: usize = 2;

pub struct Upload {
    context: Arc<Context>,
    listing: OnceCell<Arc<Listing>>,
    pub(super) teller: Teller,
    /// Where the answer goes; it closes when the client does.
    answer: BodyWriter,
}

/// An archive, unpacked.
pub struct Context {
    folder: Arc<OwnedFd>,
    /// Of the Dockerfile and the file of patterns: which of them the build does not see.
    hidden: Option<Ignore>,
    _staged: Staged,
}

impl Context {
    /// Unpacks a tar, compressed in any way that images are.
    pub fn receive(store: &Store, tar: impl Read) -> Result<Self> {
        let staged = store.stage()?;
        let failed = |error: io::Error| {
            let text = format!("Error processing tar file: {}", archive::reason(&error));
            Error::invalid(text)
        };
        let folder = OwnedFd::from(File::open(staged.path()).map_err(failed)?);
        let limits = Limits::default();
        let target =
            Target { root: folder.as_fd(), directory: Path::new(""), shown: Path::new("") };
        let tar = decompressed(tar).map_err(failed)?;
        let options = unpack::Options {
            owner: unpack::Owner::Archived,
            replace_directories: true,
            limits,
            rename: None,
        };
        unpack(tar, target, options).map_err(failed)?;
        Ok(Self { folder: Arc::new(folder), hidden: None, _staged: staged })
    }

    /// The text of its Dockerfile. As in Docker the patterns of `.dockerignore` were applied by who packed the archive, and
    /// had to leave in what the engine needs: that alone is hidden here.
    pub fn take_dockerfile(&mut self, name: &str) -> Result<String> {
        let text = self
            .text(name)?
            .ok_or_else(|| Error::invalid(format!("Cannot locate specified Dockerfile: {name}")))?;
        if let Some(patterns) = self.text(IGNORE)? {
            let invalid = |why: String| Error::invalid(format!("{IGNORE}: {why}"));
            let ignore = Ignore::parse(&patterns).map_err(invalid)?;
            let name = Path::new(name).components().collect::<std::path::PathBuf>();
            let hidden = [Path::new(IGNORE), &name].into_iter().filter_map(Path::to_str);
            let hidden: String = hidden
                .filter(|path| ignore.is_ignored(path))
                .map(|path| format!("/{}\n", escaped(path)))
                .collect();
            self.hidden = Some(Ignore::parse(&hidden).map_err(invalid)?);
        }
        Ok(text)
    }

    /// Links lead where they lead within the context.
    fn text(&self, name: &str) -> Result<Option<String>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file =
            sys::path::open_in_root(self.folder.as_fd(), Path::new(name), flags, Mode::empty());
        let file = match file {
            Ok(file) => File::from(file),
            Err(_) => return Ok(None),
        };
        let failed = |why: String| Error::invalid(format!("failed to read {name}: {why}"));
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(failed("it is no file".into()));
        }
        let mut bytes = Vec::new();
        let read = file.take(LARGEST_DOCKERFILE + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed(archive::reason(&error)))?;
        if bytes.len() as u64 > LARGEST_DOCKERFILE {
            return Err(failed(format!("it is larger than {LARGEST_DOCKERFILE} bytes")));
        }
        String::from_utf8(bytes).map(Some).map_err(|_| failed("it is not UTF-8 text".into()))
    }
}

impl Upload {
    /// A client with this context, and what it is told.
    pub fn new(context: Context, answer: BodyWriter) -> (Self, Told) {
        let (teller, told) = told::channel();
        let context = Arc::new(context);
        (Self { context, listing: OnceCell::new(), teller, answer }, told)
    }

    pub(super) async fn listing(&self, context: &str) -> Result<Arc<Listing>> {
        must_be_main(context)?;
        let context = Arc::clone(&self.context);
        let list = || blocking(move || list(&context).map(Arc::new));
        self.listing.get_or_try_init(list).await.cloned()
    }

    pub(super) fn contents(&self, context: &str, wanted: Vec<usize>) -> Result<Contents> {
        must_be_main(context)?;
        let listing = self.listing.get().cloned();
        let listing = listing.ok_or_else(|| Error::system("a context was not listed yet"))?;
        let folder = Source::Folder(Arc::clone(&self.context.folder));
        Contents::new(folder, listing, wanted)
    }

    pub(super) async fn gone(&self) {
        self.answer.closed().await;
    }
}

fn list(context: &Context) -> Result<Listing> {
    let walk = Walk {
        ignore: context.hidden.as_ref(),
        only: None,
        owner: Owner::Root,
        specials: Specials::Kept,
        cache: None,
        threads: THREADS,
    };
    let tree = walk
        .list(context.folder.as_fd(), Path::new(""))
        .map_err(|error| Error::system("cannot list the build's context").because(error))?;
    Ok(tree.listing())
}

fn must_be_main(context: &str) -> Result<()> {
    match context {
        CONTEXT => Ok(()),
        other => Err(Error::not_found(format!("the client has no build context {other:?}"))),
    }
}

/// A pattern that means this path alone.
fn escaped(path: &str) -> String {
    let mut pattern = String::new();
    for letter in path.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::http::Body;

    fn tar(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = Vec::new();
        for (path, text) in files {
            let mut entry = archive::writer::plain(text.len() as u64);
            entry.path = path.as_bytes().to_vec();
            archive::writer::write_header(&mut tar, &entry).unwrap();
            tar.write_all(text.as_bytes()).unwrap();
            archive::writer::pad(&mut tar, text.len() as u64).unwrap();
        }
        archive::writer::finish(&mut tar).unwrap();
        tar
    }

    fn store() -> (tempfile::TempDir, Store) {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(&place.path().join("root")).unwrap();
        (place, store)
    }

    fn paths(listing: &Listing) -> Vec<&str> {
        listing.entries.iter().map(|entry| entry.path.to_str().unwrap()).collect()
    }

    #[tokio::test]
    async fn an_archive_is_listed_and_read_and_gone_when_it_is_dropped() {
        let (place, store) = store();
        let tar = tar(&[("Dockerfile", "FROM x\n"), ("a/b", "text"), ("c", "")]);
        let mut context = Context::receive(&store, tar.as_slice()).unwrap();
        assert_eq!(context.take_dockerfile("Dockerfile").unwrap(), "FROM x\n");
        let (answer, _body) = Body::stream();
        let (upload, _told) = Upload::new(context, answer);
        assert!(upload.contents(CONTEXT, vec![0]).is_err());
        let listing = upload.listing(CONTEXT).await.unwrap();
        assert_eq!(paths(&listing), ["Dockerfile", "a", "a/b", "c"]);
        assert!(upload.contents(CONTEXT, vec![1]).is_err());
        let mut contents = upload.contents(CONTEXT, vec![3, 0, 2]).unwrap();
        assert_eq!(contents.next().unwrap().unwrap().0, 3);
        // It is passed over.
        assert_eq!(contents.next().unwrap().unwrap().0, 0);
        let (place_of_b, mut content) = contents.next().unwrap().unwrap();
        let mut text = String::new();
        content.read_to_string(&mut text).unwrap();
        assert_eq!((place_of_b, text.as_str()), (2, "text"));
        assert!(contents.next().unwrap().is_none());
        assert!(upload.listing("other").await.is_err());
        let staging = place.path().join("root/staging");
        assert_eq!(std::fs::read_dir(&staging).unwrap().count(), 1);
        drop(upload);
        assert_eq!(std::fs::read_dir(&staging).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_that_changes_between_list_and_copy_is_an_error() {
        let (place, store) = store();
        let context = Context::receive(&store, tar(&[("f", "one")]).as_slice()).unwrap();
        let (answer, _body) = Body::stream();
        let (upload, _told) = Upload::new(context, answer);
        upload.listing(CONTEXT).await.unwrap();
        let staging = place.path().join("root/staging");
        let staged = std::fs::read_dir(&staging).unwrap().next().unwrap().unwrap().path();
        for text in ["two", "x"] {
            std::fs::write(staged.join("f"), text).unwrap();
            let mut contents = upload.contents(CONTEXT, vec![0]).unwrap();
            let (_, mut content) = contents.next().unwrap().unwrap();
            let said = io::copy(&mut content, &mut io::sink()).unwrap_err().to_string();
            assert_eq!(said, "f: file changed while it was read");
        }
    }

    #[tokio::test]
    async fn what_was_packed_for_the_engine_alone_is_hidden_from_the_build() {
        let (_place, store) = store();
        let files = [("Dockerfile", "FROM x"), (".dockerignore", "*\n!b\n"), ("b", ""), ("c", "")];
        let mut context = Context::receive(&store, tar(&files).as_slice()).unwrap();
        context.take_dockerfile("./Dockerfile").unwrap();
        assert_eq!(paths(&list(&context).unwrap()), ["b", "c"]);
        let said = context.take_dockerfile("none").unwrap_err().to_string();
        assert_eq!(said, "Cannot locate specified Dockerfile: none");
    }

    #[test]
    fn cve_2019_13139_and_its_like_a_context_leads_nowhere_outside() {
        let (place, store) = store();
        std::fs::write(place.path().join("secret"), "FROM secret").unwrap();
        let said =
            Context::receive(&store, tar(&[("../../secret", "x")]).as_slice()).err().unwrap();
        assert!(said.to_string().contains("is outside of"), "{said}");
        assert_eq!(std::fs::read(place.path().join("secret")).unwrap(), b"FROM secret");
        let mut context = Context::receive(&store, tar(&[("x", "")]).as_slice()).unwrap();
        assert!(context.take_dockerfile("../../secret").is_err());
        assert!(context.take_dockerfile("/proc/self/environ").is_err());
        let whole = tar(&[("a", "text")]);
        for cut in [1, 511, 514] {
            assert!(Context::receive(&store, &whole[..cut]).is_err(), "{cut}");
        }
        assert!(Context::receive(&store, &b"no tar at all, however long it is"[..]).is_err());
    }
}
