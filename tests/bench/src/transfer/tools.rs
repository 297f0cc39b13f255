//! The peers, each as a user would call it: with more transfers at a time where its default is for slow lines.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};
use tidegate_tests_support::{
    debian,
    seaweed::SeaweedFs,
    venv::{rclone_venv, tools_venv},
};

use crate::usage::{self, Took};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    Tidegate,
    S5cmd,
    Rclone,
    Restic,
}

/// What `rclone` is told beside what to copy.
const RCLONE: &[&str] = &[
    "--config=",
    "--transfers=16",
    "--checkers=16",
    "--s3-no-check-bucket",
    "--s3-chunk-size=16M",
    "--s3-upload-concurrency=8",
    "--multi-thread-streams=8",
];

impl Who {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tidegate => "Tidegate",
            Self::S5cmd => "s5cmd",
            Self::Rclone => "rclone",
            Self::Restic => "restic",
        }
    }
}

/// The peers before one server.
pub(super) struct Tools<'a> {
    pub(super) server: &'a SeaweedFs,
    /// For what they keep.
    pub(super) scratch: PathBuf,
}

impl Tools<'_> {
    /// What must be there before the first upload.
    pub(super) fn prepare(&self, who: Who) -> Result<()> {
        if who == Who::Restic {
            let mut init = self.restic()?;
            init.arg("init");
            usage::run(init)?;
        }
        Ok(())
    }

    /// The files of a directory to the server.
    pub(super) fn upload(&self, who: Who, dir: &Path) -> Result<Took> {
        let bucket = self.server.bucket();
        usage::run(match who {
            Who::S5cmd => {
                let mut command = self.s5cmd()?;
                command.arg(format!("{}/*", dir.display())).arg(format!("s3://{bucket}/s5cmd/"));
                command
            }
            Who::Rclone => {
                let mut command = self.rclone()?;
                command.arg(dir).arg(format!("weed:{bucket}/rclone"));
                command
            }
            Who::Restic => {
                let mut command = self.restic()?;
                command.arg("backup").arg(".").current_dir(dir);
                command
            }
            Who::Tidegate => bail!("it is no tool of others"),
        })
    }

    /// And back into a directory. What restic knew of the server is forgotten: this is another machine.
    pub(super) fn download(&self, who: Who, into: &Path) -> Result<Took> {
        let bucket = self.server.bucket();
        usage::run(match who {
            Who::S5cmd => {
                let mut command = self.s5cmd()?;
                command.arg(format!("s3://{bucket}/s5cmd/*")).arg(format!("{}/", into.display()));
                command
            }
            Who::Rclone => {
                let mut command = self.rclone()?;
                command.arg(format!("weed:{bucket}/rclone")).arg(into);
                command
            }
            Who::Restic => {
                crate::disk::remove(&self.cache())?;
                let mut command = self.restic()?;
                command.args(["restore", "latest", "--target"]).arg(into);
                command
            }
            Who::Tidegate => bail!("it is no tool of others"),
        })
    }

    fn s5cmd(&self) -> Result<Command> {
        let mut command = self.command(&tools_venv()?.bin("s5cmd"));
        command.args(["--endpoint-url", &self.server.endpoint(), "cp"]);
        Ok(command)
    }

    fn rclone(&self) -> Result<Command> {
        let mut command = self.command(&rclone_venv()?.bin("rclone"));
        command.arg("copy").args(RCLONE);
        for (name, value) in [("TYPE", "s3"), ("PROVIDER", "SeaweedFS"), ("ENV_AUTH", "true")] {
            command.env(format!("RCLONE_CONFIG_WEED_{name}"), value);
        }
        command.env("RCLONE_CONFIG_WEED_ENDPOINT", self.server.endpoint());
        Ok(command)
    }

    fn restic(&self) -> Result<Command> {
        let mut command = self.command(&debian::program("restic", "restic")?);
        command.args(["--option", "s3.connections=16", "--repo"]);
        command.arg(format!("s3:{}/{}/restic", self.server.endpoint(), self.server.bucket()));
        command.env("RESTIC_PASSWORD", "bench").env("RESTIC_CACHE_DIR", self.cache());
        Ok(command)
    }

    fn cache(&self) -> PathBuf {
        self.scratch.join("restic-cache")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.envs(self.server.env(&self.server.endpoint()));
        command
    }
}
