//! On what kind of filesystem a regular file lies.
//!
//! statfs(2) would ask the server of a filesystem that has one. The kernel's own list of mounts asks nobody; it is read once
//! for each mount.

use super::kind::{status_with, FileKind, Status};
use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::RawFd;

/// The number of a mount that is never given again (6.8). Before, the plain one comes in its place or not at all.
pub(super) const STATX_MNT_ID_UNIQUE: u32 = 0x4000;
const STATX_MNT_ID: u32 = 0x1000;

/// Filesystems whose regular files are pages of memory and blocks of a disk. Whatever is not here may wait for somebody.
const LOCAL: [&str; 28] = [
    "bcachefs",
    "bfs",
    "btrfs",
    "cramfs",
    "devtmpfs",
    "erofs",
    "exfat",
    "ext2",
    "ext3",
    "ext4",
    "f2fs",
    "hfs",
    "hfsplus",
    "hugetlbfs",
    "iso9660",
    "jfs",
    "minix",
    "msdos",
    "nilfs2",
    "ntfs3",
    "ramfs",
    "romfs",
    "rootfs",
    "squashfs",
    "tmpfs",
    "udf",
    "vfat",
    "xfs",
];
const PSEUDO: [&str; 14] = [
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "efivarfs",
    "fusectl",
    "mqueue",
    "proc",
    "pstore",
    "securityfs",
    "sysfs",
    "tracefs",
];

/// A mount, as far as it can be told from another: its number, whether that is unique, and the device.
type Mount = (u64, bool, u64);

thread_local! {
    /// What was found out. A thread's own, so that nobody waits for a lock.
    static KNOWN: RefCell<HashMap<Mount, Class>> = RefCell::default();
}

/// Beyond so many the list is begun anew: who mounts and unmounts for ever must not fill the memory.
const MANY: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Local,
    Layered,
    Pseudo,
    Fuse,
    Remote,
}

/// What kind of regular file this is.
pub(super) fn kind_of(number: RawFd, status: &libc::statx) -> FileKind {
    let has_content = status.stx_size > 0 || status.stx_blocks > 0;
    let is_unique = status.stx_mask & STATX_MNT_ID_UNIQUE != 0;
    let device = u64::from(status.stx_dev_major) << 32 | u64::from(status.stx_dev_minor);
    let mount = (status.stx_mnt_id, is_unique, device);
    let known = KNOWN.with_borrow(|known| known.get(&mount).copied());
    let class = known.unwrap_or_else(|| {
        let class = find(number, status);
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= MANY {
                known.clear();
            }
            known.insert(mount, class);
        });
        class
    });
    match class {
        Class::Local => FileKind::Local,
        Class::Layered => FileKind::Layered,
        Class::Pseudo => FileKind::Pseudo { has_content },
        Class::Fuse => FileKind::Fuse,
        Class::Remote => FileKind::Remote,
    }
}

#[cold]
fn find(number: RawFd, status: &libc::statx) -> Class {
    // Memory that was never mounted is a memfd, or shared and anonymous.
    // SAFETY: the call takes two integers.
    if unsafe { libc::fcntl(number, libc::F_GET_SEALS) } >= 0 {
        return Class::Local;
    }
    let id = mount_id(number, status);
    let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    match id.and_then(|id| type_of_mount(&String::from_utf8_lossy(&mounts), id)) {
        Some(name) => class_of(&name),
        // It is mounted where this process does not see it, or there is no /proc: it may be anything.
        None => Class::Remote,
    }
}

/// The number that the list of mounts uses.
fn mount_id(number: RawFd, status: &libc::statx) -> Option<u64> {
    if status.stx_mask & (STATX_MNT_ID | STATX_MNT_ID_UNIQUE) == STATX_MNT_ID {
        return Some(status.stx_mnt_id);
    }
    if let Ok(status) = status_with(number, STATX_MNT_ID, &mut Status::uninit()) {
        if status.stx_mask & STATX_MNT_ID != 0 {
            return Some(status.stx_mnt_id);
        }
    }
    let lines = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    lines.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
}

/// As proc_pid_mountinfo(5) has it: the first field is the number, and the first after the hyphen the type.
fn type_of_mount(mounts: &str, id: u64) -> Option<String> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let found: u64 = before.split(' ').next()?.parse().ok()?;
        (found == id).then(|| after.split(' ').next().map(str::to_owned))?
    })
}

fn class_of(name: &str) -> Class {
    match name {
        "overlay" => Class::Layered,
        "fuse" | "fuseblk" | "virtiofs" => Class::Fuse,
        _ if name.starts_with("fuse.") || name.starts_with("fuseblk.") => Class::Fuse,
        _ if PSEUDO.contains(&name) => Class::Pseudo,
        _ if LOCAL.contains(&name) => Class::Local,
        // zfs is not among them: its driver lies outside of the kernel, and nobody has looked.
        _ => Class::Remote,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_found_by_its_number() {
        let mounts = "21 27 0:20 / /proc rw shared:5 - proc proc rw\n\
            27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n\
            30 27 0:44 / /mnt/a\\040b rw - fuse.sshfs host:/x rw,user_id=0";
        assert_eq!(type_of_mount(mounts, 21).as_deref(), Some("proc"));
        assert_eq!(type_of_mount(mounts, 27).as_deref(), Some("ext4"));
        assert_eq!(type_of_mount(mounts, 30).as_deref(), Some("fuse.sshfs"));
        assert_eq!(type_of_mount(mounts, 2), None);
    }

    #[test]
    fn what_is_not_known_may_wait() {
        assert_eq!(class_of("ext4"), Class::Local);
        assert_eq!(class_of("overlay"), Class::Layered);
        assert_eq!(class_of("tracefs"), Class::Pseudo);
        assert_eq!(class_of("fuse.sshfs"), Class::Fuse);
        for name in ["nfs4", "cifs", "9p", "of the future"] {
            assert_eq!(class_of(name), Class::Remote, "{name}");
        }
        assert!(LOCAL.is_sorted() && PSEUDO.is_sorted());
    }
}
