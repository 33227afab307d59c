//! Which packages an image holds, as its package managers note them, and an SPDX document that lists them.
//!
//! What is read comes from images: anything may stand in it. Texts are read a line at a time, bounded in number and length;
//! what makes no sense is no package.

use std::collections::BTreeSet;

use oci::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub const PREDICATE_TYPE: &str = "https://spdx.dev/Document";
/// Packages of one image.
pub const MOST_PACKAGES: usize = 50_000;
/// Characters of a name or a version.
const LONGEST: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    pub kind: Kind,
    pub name: String,
    pub version: String,
    pub architecture: String,
    pub license: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Deb,
    Apk,
    Python,
    Node,
}

/// `ID` and `VERSION_ID` of /etc/os-release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    pub id: String,
    pub version: String,
}

impl System {
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            checked(line.unwrap_or_default().trim_matches(['"', '\''])).unwrap_or_default()
        };
        Self { id: value("ID"), version: value("VERSION_ID") }
    }
}

/// Of `/var/lib/dpkg/status`: those that are installed.
#[must_use]
pub fn dpkg(text: &str) -> Vec<Package> {
    let packages = text.split("\n\n").filter_map(|paragraph| {
        let field = |name| field(paragraph, name, ": ");
        let status = field("Status").unwrap_or("install ok installed");
        status.ends_with(" installed").then_some(())?;
        package(Kind::Deb, field("Package")?, field("Version")?, field("Architecture"), None)
    });
    packages.take(MOST_PACKAGES).collect()
}

/// Of `/lib/apk/db/installed`.
#[must_use]
pub fn apk(text: &str) -> Vec<Package> {
    let packages = text.split("\n\n").filter_map(|paragraph| {
        let field = |name| field(paragraph, name, ":");
        package(Kind::Apk, field("P")?, field("V")?, field("A"), field("L"))
    });
    packages.take(MOST_PACKAGES).collect()
}

/// Of a `METADATA` in a `.dist-info`.
#[must_use]
pub fn python(text: &str) -> Option<Package> {
    let head = text.split("\n\n").next().unwrap_or_default();
    let field = |name| field(head, name, ": ");
    package(Kind::Python, field("Name")?, field("Version")?, None, field("License"))
}

/// Of a `package.json` in `node_modules`.
#[must_use]
pub fn node(text: &str) -> Option<Package> {
    let document: Value = serde_json::from_str(text).ok()?;
    let license = document["license"].as_str();
    package(Kind::Node, document["name"].as_str()?, document["version"].as_str()?, None, license)
}

/// The first of that name; what continues a line begins with a blank, and so is none.
fn field<'t>(paragraph: &'t str, name: &str, separator: &str) -> Option<&'t str> {
    let value = |line: &'t str| line.strip_prefix(name)?.strip_prefix(separator);
    paragraph.lines().find_map(value).map(str::trim)
}

fn package(
    kind: Kind,
    name: &str,
    version: &str,
    architecture: Option<&str>,
    license: Option<&str>,
) -> Option<Package> {
    Some(Package {
        kind,
        name: checked(name)?,
        version: checked(version)?,
        architecture: architecture.and_then(checked).unwrap_or_default(),
        license: license.and_then(checked).unwrap_or_default(),
    })
}

fn checked(text: &str) -> Option<String> {
    let is_sane = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    is_sane.then(|| text.to_owned())
}

/// Of these packages; `of` is the image's configuration, `created` RFC 3339.
#[must_use]
pub fn document(
    name: &str,
    of: &Digest,
    created: &str,
    system: &System,
    packages: &[Package],
) -> Value {
    let all: BTreeSet<&Package> = packages.iter().collect();
    let ids: Vec<String> = all.iter().map(|package| id(package)).collect();
    let entry = |(package, id): (&&Package, &String)| {
        let license = match package.license.as_str() {
            "" => "NOASSERTION",
            license if is_expression(license) => license,
            _ => "NOASSERTION",
        };
        json!({
            "name": package.name,
            "SPDXID": id,
            "versionInfo": package.version,
            "supplier": "NOASSERTION",
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": license,
            "copyrightText": "NOASSERTION",
            "externalRefs": [{
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": package_url(package, system),
            }],
        })
    };
    let relation = |id: &String| {
        json!({
            "spdxElementId": "SPDXRef-DOCUMENT",
            "relationshipType": "DESCRIBES",
            "relatedSpdxElement": id,
        })
    };
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": format!("urn:gantry:sbom:{of}"),
        "creationInfo": { "created": created, "creators": ["Tool: gantry"] },
        "packages": all.iter().zip(&ids).map(entry).collect::<Vec<_>>(),
        "relationships": ids.iter().map(relation).collect::<Vec<_>>(),
    })
}

/// Words, `AND`, `OR` and `WITH`, as far as that can be told without the list of licenses.
fn is_expression(license: &str) -> bool {
    let is_id = |word: &str| {
        let word = word.trim_matches(['(', ')']);
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.+".contains(&byte))
    };
    let words: Vec<&str> = license.split(' ').collect();
    let is_sound = |(at, word): (usize, &&str)| match at % 2 {
        0 => is_id(word) && !word.is_empty(),
        _ => matches!(*word, "AND" | "OR" | "WITH"),
    };
    words.len() % 2 == 1 && words.iter().enumerate().all(is_sound)
}

fn id(package: &Package) -> String {
    let letters = |text: &str| -> String {
        let clean = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        text.chars().map(clean).collect()
    };
    let whole = format!("{package:?}");
    let hash: String =
        Sha256::digest(whole).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("SPDXRef-Package-{}-{}-{hash}", word(package.kind), letters(&package.name))
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Deb => "deb",
        Kind::Apk => "apk",
        Kind::Python => "pypi",
        Kind::Node => "npm",
    }
}

/// As the package-url specification has them.
fn package_url(package: &Package, system: &System) -> String {
    let (name, version) = (escaped(&package.name), escaped(&package.version));
    let system_id = if system.id.is_empty() { "linux" } else { &system.id };
    match package.kind {
        Kind::Deb | Kind::Apk => {
            let kind = word(package.kind);
            let mut url = format!("pkg:{kind}/{}/{name}@{version}", escaped(system_id));
            let distribution = match system.version.as_str() {
                "" => String::new(),
                version => format!("{system_id}-{version}"),
            };
            let pairs = [("arch", &package.architecture), ("distro", &distribution)];
            let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
            for (at, (key, value)) in pairs.enumerate() {
                let before = if at == 0 { '?' } else { '&' };
                url.push_str(&format!("{before}{key}={}", escaped(value)));
            }
            url
        }
        Kind::Python => {
            let name = escaped(&package.name.to_lowercase().replace('_', "-"));
            format!("pkg:pypi/{name}@{version}")
        }
        // `@scope/name` keeps its slash.
        Kind::Node => format!("pkg:npm/{}@{version}", name.replace("%2F", "/")),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                out.push(byte.into());
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const DPKG: &str = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2+b1\nDescription: a shell\n Package: no\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: distroless\nVersion: 2\n";

    fn urls(packages: &[Package], system: &System) -> Vec<String> {
        packages.iter().map(|package| package_url(package, system)).collect()
    }

    #[test]
    fn packages_of_each_kind_are_found() {
        let system = System::parse("NAME=\"Debian\"\nID=debian\nVERSION_ID=\"12\"\n");
        assert_eq!(
            urls(&dpkg(DPKG), &system),
            [
                "pkg:deb/debian/bash@5.2%2Bb1?arch=amd64&distro=debian-12",
                "pkg:deb/debian/distroless@2?distro=debian-12"
            ]
        );
        let system = System { id: "alpine".into(), version: String::new() };
        let found = apk("C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\n\nP:half\n");
        assert_eq!(urls(&found, &system), ["pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64"]);
        assert_eq!(found[0].license, "MIT");
        let found = python("Metadata-Version: 2.1\nName: Flask_Cors\nVersion: 4\n\nName: no\n");
        assert_eq!(urls(&[found.unwrap()], &system), ["pkg:pypi/flask-cors@4"]);
        let found = node(r#"{"name":"@types/node","version":"20.1.0","license":"MIT"}"#);
        assert_eq!(urls(&[found.unwrap()], &system), ["pkg:npm/%40types/node@20.1.0"]);
    }

    #[test]
    fn what_makes_no_sense_is_no_package() {
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(dpkg(&format!("Package: {long}\nVersion: 1\n")), []);
        assert_eq!(dpkg("Package: a\u{1b}[31m\nVersion: 1\n"), []);
        assert_eq!(dpkg("Package:\nVersion: \n\n\n\n"), []);
        assert_eq!(node("{"), None);
        assert_eq!(node(&"[".repeat(100_000)), None);
        assert_eq!(node(r#"{"name":1,"version":[]}"#), None);
        assert_eq!(python(""), None);
        let many = "P:a\nV:1\n\n".repeat(MOST_PACKAGES + 10);
        assert_eq!(apk(&many).len(), MOST_PACKAGES);
    }

    #[test]
    fn the_document_has_each_package_once_and_describes_it() {
        let twice = [dpkg(DPKG), dpkg(DPKG)].concat();
        let of = Digest::from_sha256([3; 32]);
        let made = document("app", &of, "2026-01-01T00:00:00Z", &System::default(), &twice);
        let packages = made["packages"].as_array().unwrap();
        assert_eq!(packages.len(), 2);
        assert_eq!(made["relationships"].as_array().unwrap().len(), 2);
        assert_eq!(made["relationships"][0]["relatedSpdxElement"], packages[0]["SPDXID"]);
        assert_eq!(packages[0]["licenseDeclared"], "NOASSERTION");
        assert!(is_expression("MIT OR Apache-2.0") && !is_expression("see the file"));
        assert!(!is_expression("MIT OR") && !is_expression(""));
    }
}
