//! Writes a bbolt file, the key-value store that Trivy's database is: nested buckets of sorted keys. Read only by the
//! real reader; the format is that of `go.etcd.io/bbolt`, version 2.

use std::collections::BTreeMap;

/// The page size stands in the file, so a reader on any machine takes this one.
const PAGE: usize = 4096;
const HEADER: usize = 16;
const ELEMENT: usize = 16;
const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
const LEAF: u16 = 0x02;
const META: u16 = 0x04;
const FREELIST: u16 = 0x10;
/// Two meta pages and the list of free pages come first.
const FIRST_FREE: usize = 3;

/// What a key of a bucket names.
#[derive(Clone, Debug)]
enum Entry {
    Value(Vec<u8>),
    Bucket(Bucket),
}

/// A bucket before it is written. Keys are sorted, as the format asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bucket(BTreeMap<Vec<u8>, Entry>);

impl Bucket {
    /// Sets the value at the end of a path of buckets, which are made when missing.
    pub(crate) fn put(&mut self, path: &[&str], value: &str) {
        match path {
            [] => panic!("a value needs a key"),
            [key] => {
                self.0.insert(key.as_bytes().to_vec(), Entry::Value(value.as_bytes().to_vec()));
            }
            [bucket, rest @ ..] => {
                let entry = self.0.entry(bucket.as_bytes().to_vec()).or_insert_with(|| Entry::Bucket(Self::default()));
                let Entry::Bucket(inner) = entry else { panic!("{bucket} is a value") };
                inner.put(rest, value);
            }
        }
    }

    /// The whole file with this bucket as its root.
    pub(crate) fn to_file(&self) -> Vec<u8> {
        let mut pages = vec![0; FIRST_FREE * PAGE];
        let root = write_bucket(self, &mut pages);
        let count = pages.len() / PAGE;
        write_header(&mut pages, 2, FREELIST, 0, 0);
        for id in [0, 1] {
            write_header(&mut pages, id, META, 0, 0);
            let meta = meta(root, count, id);
            pages[id * PAGE + HEADER..][..meta.len()].copy_from_slice(&meta);
        }
        pages
    }
}

/// One leaf page a bucket, with as many overflow pages as it needs; inner buckets first. Returns the page's number.
fn write_bucket(bucket: &Bucket, pages: &mut Vec<u8>) -> usize {
    let entries: Vec<(&[u8], Vec<u8>, u32)> = bucket
        .0
        .iter()
        .map(|(key, entry)| match entry {
            Entry::Value(value) => (key.as_slice(), value.clone(), 0),
            Entry::Bucket(inner) => {
                let mut value = (write_bucket(inner, pages) as u64).to_le_bytes().to_vec();
                value.extend(0_u64.to_le_bytes()); // the bucket's sequence, which nobody uses
                (key.as_slice(), value, 1)
            }
        })
        .collect();
    let (mut elements, mut data) = (Vec::new(), Vec::new());
    for (number, (key, value, flag)) in entries.iter().enumerate() {
        // A position counts from the start of its own element.
        let position = (entries.len() - number) * ELEMENT + data.len();
        for word in [*flag, position as u32, key.len() as u32, value.len() as u32] {
            elements.extend(word.to_le_bytes());
        }
        data.extend(*key);
        data.extend(value);
    }
    let id = pages.len() / PAGE;
    let needed = (HEADER + elements.len() + data.len()).div_ceil(PAGE);
    pages.resize(pages.len() + needed * PAGE, 0);
    write_header(pages, id, LEAF, entries.len() as u16, needed as u32 - 1);
    let body = &mut pages[id * PAGE + HEADER..];
    body[..elements.len()].copy_from_slice(&elements);
    body[elements.len()..][..data.len()].copy_from_slice(&data);
    id
}

fn write_header(pages: &mut [u8], id: usize, flags: u16, count: u16, overflow: u32) {
    let header = &mut pages[id * PAGE..][..HEADER];
    header[..8].copy_from_slice(&(id as u64).to_le_bytes());
    header[8..10].copy_from_slice(&flags.to_le_bytes());
    header[10..12].copy_from_slice(&count.to_le_bytes());
    header[12..].copy_from_slice(&overflow.to_le_bytes());
}

fn meta(root: usize, pages: usize, transaction: usize) -> Vec<u8> {
    let mut meta = Vec::new();
    for word in [MAGIC, VERSION, PAGE as u32, 0] {
        meta.extend(word.to_le_bytes());
    }
    // Root bucket and its sequence, the list of free pages, the first page never used, the transaction.
    for word in [root, 0, 2, pages, transaction] {
        meta.extend((word as u64).to_le_bytes());
    }
    let checksum = fnv1a(&meta);
    meta.extend(checksum.to_le_bytes());
    meta
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
