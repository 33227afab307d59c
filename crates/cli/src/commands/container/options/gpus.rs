//! `--gpus`, and devices of `--device` that are named as the Container Device Interface names them.

use api::containers::DeviceRequest;

use super::{mounts, pairs};

pub(super) fn check(text: &str) -> Result<(), String> {
    request(text).map(drop)
}

/// `all`, a number, or `driver=`, `count=`, `device=`, `capabilities=`, `options=`, separated by commas.
fn request(text: &str) -> Result<DeviceRequest, String> {
    let mut seen = Vec::new();
    let mut request = DeviceRequest::default();
    for field in mounts::fields(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value)),
            None => (field.clone(), None),
        };
        if seen.contains(&key) {
            return Err(format!("gpu request key '{key}' can be specified only once"));
        }
        let words = |value: &str| -> Vec<String> { value.split(',').map(str::to_owned).collect() };
        match (key.as_str(), value) {
            (number, None) => {
                request.count = count(number)?;
                seen.push("count".to_owned());
            }
            ("driver", Some(driver)) => driver.clone_into(&mut request.driver),
            ("count", Some(number)) => request.count = count(number)?,
            ("device", Some(ids)) => request.device_ids = Some(words(ids)),
            ("capabilities", Some(names)) => {
                let gpu = ["gpu".to_owned()];
                request.capabilities = Some(vec![[&words(names)[..], &gpu].concat()]);
            }
            ("options", Some(options)) => {
                request.options = Some(pairs(&mounts::fields(options)?));
            }
            _ => return Err(format!("unexpected key '{key}' in '{field}'")),
        }
        seen.push(key);
    }
    if request.device_ids.is_none() && !seen.iter().any(|key| key == "count") {
        request.count = 1;
    }
    request.options.get_or_insert_default();
    request.capabilities.get_or_insert_with(|| vec![vec!["gpu".to_owned()]]);
    Ok(request)
}

fn count(text: &str) -> Result<i64, String> {
    match text {
        "all" => Ok(-1),
        _ => text.parse().map_err(|_| {
            format!("count must be an integer: strconv.Atoi: parsing {text:?}: invalid syntax")
        }),
    }
}

/// What the container is to be given, by driver; `devices` are the values of `--device`.
pub(super) fn requests(
    gpus: &[String],
    devices: &[String],
) -> Result<Option<Vec<DeviceRequest>>, String> {
    let mut requests: Vec<_> = gpus.iter().map(|text| request(text)).collect::<Result<_, _>>()?;
    let named: Vec<String> = devices.iter().filter(|d| is_qualified(d)).cloned().collect();
    if !named.is_empty() {
        let driver = "cdi".to_owned();
        requests.push(DeviceRequest { driver, device_ids: Some(named), ..Default::default() });
    }
    Ok(Some(requests).filter(|requests| !requests.is_empty()))
}

/// `vendor.com/class=name`.
pub(super) fn is_qualified(text: &str) -> bool {
    let Some((kind, name)) = text.split_once('=') else { return false };
    let Some((vendor, class)) = kind.split_once('/') else { return false };
    let made_of = |word: &str, more: &[u8], begins: fn(&u8) -> bool| {
        let bytes = word.as_bytes();
        bytes.first().is_some_and(begins)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || more.contains(b))
    };
    made_of(vendor, b"_-.", u8::is_ascii_alphabetic)
        && made_of(class, b"_-.", u8::is_ascii_alphabetic)
        && made_of(name, b"_-.:", u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_by_number_by_name_and_by_what_they_can() {
        assert_eq!(request("all").unwrap().count, -1);
        assert_eq!(request("2").unwrap().count, 2);
        let named = request(r#""device=0,1",capabilities=utility,driver=nvidia"#).unwrap();
        assert_eq!(named.device_ids.unwrap(), ["0", "1"]);
        assert_eq!(named.capabilities.unwrap(), [["utility", "gpu"]]);
        assert_eq!((named.driver.as_str(), named.count), ("nvidia", 0));
        assert_eq!(request("capabilities=utility").unwrap().count, 1);
        for bad in ["x", "count=x", "foo=bar", "count=1,count=2", ""] {
            assert!(request(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn qualified_names_are_no_paths() {
        for name in ["nvidia.com/gpu=all", "v/c=0", "vendor.com/net=nic0:1"] {
            assert!(is_qualified(name), "{name}");
        }
        for path in
            ["/dev/x", "/dev/x=y", "vendor.com/class", "v/c=", "1v/c=x", "v/c=x/y", "v/c/d=x"]
        {
            assert!(!is_qualified(path), "{path}");
        }
        let requests = requests(&[], &["/dev/null".to_owned(), "v/c=0".to_owned()]).unwrap();
        assert_eq!(requests.unwrap()[0].device_ids.as_ref().unwrap(), &["v/c=0"]);
    }
}
