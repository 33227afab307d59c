//! `gantry system df`: what takes how much of the disk.

use api::build::CacheRecord as Cache;
use api::containers::Summary as Container;
use api::images::Summary as Image;
use api::system::LegacyDiskUsage;
use serde::Deserialize;
use template::{Format, Json, MissingKey, Of, Value};

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls as containers;
use crate::commands::image::ls as images;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, RawLine, Row, Style, print_list, render};
use crate::output::print;
use crate::output::units::{ago, human_size};

const FLAGS: &[Flag] =
    &[Flag::format(), Flag::bool("verbose", "Show detailed information on space usage").short('v')];

pub(crate) const COMMAND: Command = Command {
    name: "df",
    aliases: &[],
    paths: &["system df"],
    usage: "[OPTIONS]",
    about: "Show gantry disk usage",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

const TOTALS: Listing = Listing {
    columns: &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ],
    go_type: "*formatter.diskUsageImagesContext",
    quiet: "",
    raw: &[
        RawLine::Always("type", "Type"),
        RawLine::Always("total", "TotalCount"),
        RawLine::Always("active", "Active"),
        RawLine::Always("size", "Size"),
        RawLine::Always("reclaimable", "Reclaimable"),
    ],
};
const TOTALS_TABLE: &str = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
const IMAGES_TABLE: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS_TABLE: &str = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";
const VOLUMES: Listing = Listing {
    columns: &[("Name", "VOLUME NAME"), ("Links", "LINKS"), ("Size", "SIZE")],
    go_type: "*formatter.volumeContext",
    quiet: "",
    raw: &[],
};
const VOLUMES_TABLE: &str = "{{.Name}}\t{{.Links}}\t{{.Size}}";
const BUILD_CACHE: Listing = Listing {
    columns: &[
        ("ID", "CACHE ID"),
        ("CacheType", "CACHE TYPE"),
        ("Size", "SIZE"),
        ("CreatedSince", "CREATED"),
        ("LastUsedSince", "LAST USED"),
        ("UsageCount", "USAGE"),
        ("Shared", "SHARED"),
    ],
    go_type: "*formatter.buildCacheContext",
    quiet: "",
    raw: &[],
};
const BUILD_CACHE_TABLE: &str = "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let given = parsed.str("format");
    let template = given.strip_prefix("table").unwrap_or(given);
    Format::parse(template, Of::Objects)
        .map_err(|error| Failure::new(format!("template parsing error: {error}")))?;
    let client = context.connect().await?;
    let usage = Usage::of(client.system_df().await?)?;
    if !parsed.bool("verbose") {
        let style = Style::new(&TOTALS, given, TOTALS_TABLE, false);
        print_list(&TOTALS, &style, usage.totals())?;
    } else if matches!(given, "" | "table") {
        print(usage.tables()?)?;
    } else {
        print(usage.document(given)?)?;
    }
    Ok(0)
}

#[derive(Debug, Default)]
struct Usage {
    /// Of all layers, each once.
    layers: i64,
    images: Vec<Image>,
    containers: Vec<Container>,
    volumes: Vec<Volume>,
    cache: Vec<Cache>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Volume {
    name: String,
    driver: String,
    mountpoint: String,
    scope: String,
    labels: Option<std::collections::BTreeMap<String, String>>,
    usage_data: Option<VolumeUsage>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VolumeUsage {
    ref_count: i64,
    size: i64,
}

/// One line of the totals, in objects and bytes.
struct Total {
    name: &'static str,
    count: usize,
    active: usize,
    size: i64,
    reclaimable: i64,
    /// Whether the part that can be reclaimed is told in percent, too.
    percent: bool,
}

impl Usage {
    fn of(usage: LegacyDiskUsage) -> Result<Self> {
        let read = |error: serde_json::Error| Failure::new(error.to_string());
        let volumes = serde_json::to_value(usage.volumes.unwrap_or_default());
        Ok(Self {
            layers: usage.layers_size,
            images: usage.images.unwrap_or_default(),
            containers: usage.containers.unwrap_or_default(),
            volumes: volumes.and_then(serde_json::from_value).map_err(read)?,
            cache: usage.build_cache.unwrap_or_default(),
        })
    }

    fn totals(&self) -> Vec<Row> {
        let all = [self.images(), self.containers(), self.volumes(), self.cache()];
        all.into_iter().map(Total::row).collect()
    }

    /// What only unused images have can be reclaimed, and so can what is shared.
    fn images(&self) -> Total {
        let known = |image: &&Image| image.size != -1 && image.shared_size != -1;
        let used = self.images.iter().filter(|image| image.containers != 0);
        let unique = used.filter(known).map(|image| image.size - image.shared_size).sum::<i64>();
        Total {
            name: "Images",
            count: self.images.len(),
            active: self.images.iter().filter(|image| image.containers > 0).count(),
            size: self.layers,
            reclaimable: self.layers - unique,
            percent: true,
        }
    }

    fn containers(&self) -> Total {
        let is_active = |container: &Container| {
            ["running", "paused", "restarting"].contains(&container.state.as_str())
        };
        let (active, rest): (Vec<_>, Vec<_>) =
            self.containers.iter().partition(|container| is_active(container));
        let size = |of: &[&Container]| of.iter().map(|one| one.size_rw).sum::<i64>();
        Total {
            name: "Containers",
            count: self.containers.len(),
            active: active.len(),
            size: size(&active) + size(&rest),
            reclaimable: size(&rest),
            percent: true,
        }
    }

    fn volumes(&self) -> Total {
        let usage = || self.volumes.iter().filter_map(|volume| volume.usage_data);
        let known = |usage: &VolumeUsage| usage.size != -1;
        let unused = |usage: &VolumeUsage| usage.ref_count == 0;
        Total {
            name: "Local Volumes",
            count: self.volumes.len(),
            active: usage().filter(|usage| usage.ref_count > 0).count(),
            size: usage().filter(known).map(|usage| usage.size).sum(),
            reclaimable: usage().filter(known).filter(unused).map(|usage| usage.size).sum(),
            percent: true,
        }
    }

    fn cache(&self) -> Total {
        let own = |cache: &&Cache| !cache.shared;
        let own = || self.cache.iter().filter(own);
        Total {
            name: "Build Cache",
            count: self.cache.len(),
            active: self.cache.iter().filter(|cache| cache.in_use).count(),
            size: own().map(|cache| cache.size).sum(),
            reclaimable: own().filter(|cache| !cache.in_use).map(|cache| cache.size).sum(),
            percent: false,
        }
    }

    fn tables(&self) -> Result<String> {
        let table = |listing: &Listing, template: &str, rows: Vec<Row>| {
            render(listing, &Style::new(listing, "", template, false), rows)
        };
        Ok(format!(
            "Images space usage:\n\n{}\nContainers space usage:\n\n{}\nLocal Volumes space usage:\n\n{}\nBuild cache usage: {}\n\n{}",
            table(&images::LISTING, IMAGES_TABLE, self.image_rows(false))?,
            table(&containers::LISTING, CONTAINERS_TABLE, self.container_rows(false))?,
            table(&VOLUMES, VOLUMES_TABLE, self.volume_rows())?,
            human_size(self.cache().size as f64, 4),
            table(&BUILD_CACHE, BUILD_CACHE_TABLE, self.cache_rows())?,
        ))
    }

    /// Everything as one object, for a template.
    fn document(&self, given: &str) -> Result<String> {
        let rows = |rows: Vec<Row>| Json::Array(rows.into_iter().map(Json::from).collect());
        let fields = [
            ("Images", rows(self.image_rows(true))),
            ("Containers", rows(self.container_rows(true))),
            ("Volumes", rows(self.volume_rows())),
            ("BuildCache", rows(self.cache_rows())),
        ];
        let document = Json::Object(fields.map(|(name, value)| (name.to_owned(), value)).into());
        if given == "json" {
            return Ok(document.compact());
        }
        let template = given.strip_prefix("table").unwrap_or(given);
        let unescaped = template.trim().replace("\\t", "\t").replace("\\n", "\n");
        let format = Format::parse(&unescaped, Of::Objects)
            .map_err(|error| Failure::new(format!("template parsing error: {error}")))?;
        let printed = format.execute(&Value::untyped(&document), MissingKey::Error);
        printed.map_err(|failed| Failure::new(failed.what))
    }

    /// Each image once, by its first name.
    fn image_rows(&self, no_trunc: bool) -> Vec<Row> {
        let row = |image: &Image| {
            let name = image.repo_tags.iter().flatten().next().and_then(|tag| tag.rsplit_once(':'));
            let (repository, tag) = name.unwrap_or(("<none>", "<none>"));
            let (repository, tag) = (repository.to_owned(), tag.to_owned());
            images::row(image, images::Name { repository, tag, digest: String::new() }, no_trunc)
        };
        self.images.iter().map(row).collect()
    }

    /// With what they wrote themselves, their images' share apart.
    fn container_rows(&self, no_trunc: bool) -> Vec<Row> {
        let own = |container: &Container| Container { size_root_fs: 0, ..container.clone() };
        self.containers.iter().map(|one| containers::row(own(one), no_trunc)).collect()
    }

    /// What was used last comes last.
    fn cache_rows(&self) -> Vec<Row> {
        let mut records: Vec<&Cache> = self.cache.iter().collect();
        records.sort_by_key(|record| (&record.last_used_at, &record.id));
        let since = |time: &str| {
            time.parse::<jiff::Timestamp>().map(|time| ago(time.as_second())).unwrap_or_default()
        };
        let row = |record: &&Cache| {
            Row::new()
                .cell("ID", record.id.get(..12).unwrap_or(&record.id))
                .cell("Parent", record.parents.join(", "))
                .cell("CacheType", &record.kind)
                .cell("Description", &record.description)
                .cell("InUse", record.in_use.to_string())
                .cell("Shared", record.shared.to_string())
                .cell("Size", human_size(record.size as f64, 3))
                .cell("CreatedAt", &record.created_at)
                .cell("CreatedSince", since(&record.created_at))
                .cell("LastUsedAt", record.last_used_at.as_deref().unwrap_or_default())
                .cell("LastUsedSince", since(record.last_used_at.as_deref().unwrap_or_default()))
                .cell("UsageCount", record.usage_count.to_string())
        };
        records.iter().map(row).collect()
    }

    fn volume_rows(&self) -> Vec<Row> {
        let row = |volume: &Volume| {
            let usage = volume.usage_data;
            let links = usage.map_or_else(|| "N/A".to_owned(), |usage| usage.ref_count.to_string());
            let size = usage.map_or_else(|| "N/A".to_owned(), |u| human_size(u.size as f64, 4));
            let labels = volume.labels.iter().flatten();
            let labels: Vec<String> = labels.map(|(key, value)| format!("{key}={value}")).collect();
            Row::new()
                .cell("Availability", "N/A")
                .cell("Driver", &volume.driver)
                .cell("Group", "N/A")
                .cell("Labels", labels.join(","))
                .cell("Links", links)
                .cell("Mountpoint", &volume.mountpoint)
                .cell("Name", &volume.name)
                .cell("Scope", &volume.scope)
                .cell("Size", size)
                .cell("Status", "N/A")
        };
        self.volumes.iter().map(row).collect()
    }
}

impl Total {
    fn row(self) -> Row {
        let size = |bytes: i64| human_size(bytes as f64, 4);
        let reclaimable = size(self.reclaimable);
        let reclaimable = if self.percent && self.size > 0 {
            format!("{reclaimable} ({}%)", self.reclaimable * 100 / self.size)
        } else {
            reclaimable
        };
        Row::new()
            .cell("Type", self.name)
            .cell("TotalCount", self.count.to_string())
            .cell("Active", self.active.to_string())
            .cell("Size", size(self.size))
            .cell("Reclaimable", reclaimable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_or_shared_is_told_from_what_can_be_reclaimed() {
        let image = |size, shared_size, containers| Image {
            size,
            shared_size,
            containers,
            ..Image::default()
        };
        let container = |state: &str, size_rw| Container {
            state: state.into(),
            size_rw,
            ..Container::default()
        };
        let usage = Usage {
            layers: 1000,
            images: vec![image(600, 100, 1), image(500, 100, 0)],
            containers: vec![container("running", 30), container("exited", 10)],
            ..Usage::default()
        };
        let lines = render(
            &TOTALS,
            &Style::new(
                &TOTALS,
                "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}",
                "",
                false,
            ),
            usage.totals(),
        );
        assert_eq!(
            lines.unwrap(),
            "Images 2 1 1kB 500B (50%)\nContainers 2 1 40B 10B (25%)\nLocal Volumes 0 0 0B 0B\nBuild Cache 0 0 0B 0B\n"
        );
    }
}
