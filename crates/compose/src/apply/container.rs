//! Containers made, replaced, started and removed.

use api::containers::CreateRequest;
use client::Upload;
use client::containers::{Extract, Remove};

use super::{Apply, Error, Result, Volumes, hooks, stop};
use crate::create::{self, Copied, Making};
use crate::model::Service;

impl Apply<'_> {
    pub(super) async fn create(&self, service: &str, number: usize) -> Result {
        let service = self.service(service)?;
        let nothing = Volumes::new();
        let making = self.making(service, number, &nothing, None);
        let subject = format!("Container {}", making.name());
        self.reported(&subject, ("Creating", "Created"), async {
            self.make(&making, &making.name()).await.map(drop)
        })
        .await
    }

    /// The new one is there before the old one goes, so that a failure leaves the old one as it was.
    pub(super) async fn recreate(
        &self,
        service: &str,
        number: usize,
        old: &str,
        carried: &Volumes,
    ) -> Result {
        let service = self.service(service)?;
        let making = self.making(service, number, carried, Some(old));
        let name = making.name();
        let subject = format!("Container {name}");
        self.reported(&subject, ("Recreate", "Recreated"), async {
            let short = old.get(..12).unwrap_or(old);
            let new = self.make(&making, &format!("{short}_{name}")).await?;
            if let Err(error) = hooks::pre_stop(self.client, old, service).await {
                let remove = Remove { force: true, ..Remove::default() };
                self.client.container_remove(&new, remove).await?;
                return Err(error);
            }
            self.client.container_stop(old, &stop(self.timeout)).await?;
            self.client.container_remove(old, Remove::default()).await?;
            self.client.container_rename(&new, &name).await?;
            Ok(())
        })
        .await
    }

    pub(super) async fn start(&self, service: &str, number: usize) -> Result {
        let service = self.service(service)?;
        let name = create::name(self.project, service, number);
        let subject = format!("Container {name}");
        self.reported(&subject, ("Starting", "Started"), async {
            self.client.container_start(&name, "").await?;
            hooks::post_start(self.client, &name, service).await
        })
        .await
    }

    pub(super) async fn restart(&self, service: &str, number: usize) -> Result {
        let service = self.service(service)?;
        let name = create::name(self.project, service, number);
        let subject = format!("Container {name}");
        self.reported(&subject, ("Restarting", "Started"), async {
            hooks::pre_stop(self.client, &name, service).await?;
            self.client.container_restart(&name, &stop(self.timeout)).await?;
            hooks::post_start(self.client, &name, service).await
        })
        .await
    }

    /// One whose service is no longer known has no hooks.
    pub(super) async fn remove(&self, id: &str, name: &str, service: &str) -> Result {
        let subject = format!("Container {name}");
        self.reported(&subject, ("Stopping", "Stopped"), async {
            if let Some(service) = self.project.services.get(service) {
                hooks::pre_stop(self.client, id, service).await?;
            }
            Ok(self.client.container_stop(id, &stop(self.timeout)).await?)
        })
        .await?;
        self.reported(&subject, ("Removing", "Removed"), async {
            let remove = Remove { force: true, ..Remove::default() };
            Ok(self.client.container_remove(id, remove).await?)
        })
        .await
    }

    pub(super) fn service(&self, name: &str) -> Result<&Service> {
        let service = self.project.services.get(name);
        service.ok_or_else(|| Error::Failed(format!("no such service: {name}")))
    }

    pub(super) fn making<'a>(
        &'a self,
        service: &'a Service,
        number: usize,
        carried: &'a Volumes,
        replaces: Option<&'a str>,
    ) -> Making<'a> {
        let image = self.current.images.get(&service.image_name(&self.project.name));
        let image_id = image.map_or("", String::as_str);
        Making {
            project: self.project,
            service,
            number,
            one_off: false,
            image_id,
            carried,
            replaces,
        }
    }

    async fn make(&self, making: &Making<'_>, name: &str) -> Result<String> {
        self.make_of(making, &making.request().map_err(Error::Failed)?, name).await
    }

    /// One that the request has been changed for.
    pub(super) async fn make_of(
        &self,
        making: &Making<'_>,
        request: &CreateRequest,
        name: &str,
    ) -> Result<String> {
        let files = create::files(self.project, making.service).map_err(Error::Failed)?;
        let id = self.make_with(request, &making.service.platform, name).await?;
        for file in &files {
            self.write(&id, file).await?;
        }
        Ok(id)
    }

    async fn make_with(
        &self,
        request: &CreateRequest,
        platform: &str,
        name: &str,
    ) -> Result<String> {
        Ok(self.client.container_create(name, platform, request).await?.id)
    }

    /// A text as a file of a container that does not run yet.
    pub(super) async fn write(&self, id: &str, file: &Copied) -> Result {
        let tar = file.tar().map_err(|why| Error::Failed(format!("{}: {why}", file.target)))?;
        let upload = Upload::Bytes(Some(tar.into()));
        Ok(self.client.container_archive_put(id, "/", Extract::default(), upload).await?)
    }
}
