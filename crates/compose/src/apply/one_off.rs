//! A container of `run`: of a service, for one command.

use super::{Apply, Error, Result, Volumes};
use crate::create::{self, Making};
use crate::model::Service;

impl Apply<'_> {
    /// Makes one of a service that the caller has changed as the command line says; its id.
    pub async fn one_off(&self, service: &Service, name: &str, keep_stdin: bool) -> Result<String> {
        let image = self.current.images.get(&service.image_name(&self.project.name));
        let making = Making {
            project: self.project,
            service,
            number: 1,
            one_off: true,
            image_id: image.map_or("", String::as_str),
            carried: &Volumes::new(),
            replaces: None,
        };
        let mut request = making.request_named(name).map_err(Error::Failed)?;
        request.config.attach_stdin = keep_stdin;
        request.config.open_stdin = keep_stdin;
        request.config.stdin_once = keep_stdin;
        let id = self.client.container_create(name, &service.platform, &request).await?.id;
        for file in &create::files(self.project, service).map_err(Error::Failed)? {
            self.write(&id, file).await?;
        }
        Ok(id)
    }
}
