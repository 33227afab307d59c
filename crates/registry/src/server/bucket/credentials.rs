//! Who we are to an object storage and where it is, by the names of AWS's tools: variables first, then their files.

use std::path::PathBuf;

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) key: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

/// What the environment says.
pub(super) struct Access {
    pub(super) credentials: Credentials,
    pub(super) region: String,
    /// Where it is not AWS.
    pub(super) endpoint: Option<String>,
}

impl Access {
    /// # Errors
    /// No credentials are anywhere.
    pub(super) fn find(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let profile = set("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        let home = set("HOME").map(|home| PathBuf::from(home).join(".aws"));
        let file = |name: &str, usual: &str| {
            let path = set(name).map(PathBuf::from);
            let path = path.or_else(|| Some(home.as_ref()?.join(usual)));
            path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
        };
        let secrets = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let settings = file("AWS_CONFIG_FILE", "config");
        let own = |name: &str| {
            value(&secrets, &profile, name)
                .or_else(|| value(&settings, &profile, name))
                .or_else(|| value(&settings, &format!("profile {profile}"), name))
        };
        let of_variables = set("AWS_ACCESS_KEY_ID").zip(set("AWS_SECRET_ACCESS_KEY"));
        let (pair, token) = match of_variables {
            Some(pair) => (Some(pair), set("AWS_SESSION_TOKEN")),
            None => {
                let pair = own("aws_access_key_id").zip(own("aws_secret_access_key"));
                (pair, own("aws_session_token"))
            }
        };
        let (key, secret) = pair.ok_or(
            "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them into ~/.aws/credentials",
        )?;
        let region = set("AWS_REGION")
            .or_else(|| set("AWS_DEFAULT_REGION"))
            .or_else(|| own("region"))
            .unwrap_or_else(|| "us-east-1".to_owned());
        let endpoint = set("AWS_ENDPOINT_URL_S3")
            .or_else(|| set("AWS_ENDPOINT_URL"))
            .or_else(|| own("endpoint_url"));
        Ok(Self { credentials: Credentials { key, secret, token }, region, endpoint })
    }
}

/// Of a section of an INI file.
fn value(text: &str, section: &str, name: &str) -> Option<String> {
    let mut is_ours = false;
    for line in text.lines().map(str::trim) {
        if let Some(title) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_ours = title.trim() == section;
        } else if is_ours
            && let Some((own, value)) = line.split_once('=')
            && own.trim() == name
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_go_before_files_and_a_profile_is_one_section() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        let text = "[default]\naws_access_key_id = D\naws_secret_access_key=d=\n[other]\n\
                    aws_access_key_id=O\naws_secret_access_key=o\nregion=here\n";
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        let found = |set: &[(&str, &str)]| {
            let variable = |name: &str| match name {
                "AWS_SHARED_CREDENTIALS_FILE" => Some(path.clone()),
                "HOME" => Some("/nonexistent".to_owned()),
                _ => set.iter().find(|(own, _)| *own == name).map(|(_, v)| (*v).to_owned()),
            };
            let access = Access::find(variable).unwrap();
            (access.credentials.key, access.credentials.secret, access.region)
        };
        let of = |key: &str, secret: &str, region: &str| {
            (key.to_owned(), secret.to_owned(), region.to_owned())
        };
        assert_eq!(found(&[]), of("D", "d=", "us-east-1"));
        assert_eq!(found(&[("AWS_PROFILE", "other")]), of("O", "o", "here"));
        let variables = [("AWS_ACCESS_KEY_ID", "V"), ("AWS_SECRET_ACCESS_KEY", "v")];
        assert_eq!(found(&variables), of("V", "v", "us-east-1"));
        assert!(Access::find(|_| None).is_err());
    }
}
