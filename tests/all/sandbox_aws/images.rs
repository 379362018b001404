//! ECR images: manifests, tags and layers.

use aws_sdk_ecr::types as ecr;
use sbi::sandbox::http::Request;
use serde_json::json;

use super::signatures::send;
use super::{code, create_repository, digest, manifest, operator, put_image, start, upload};

#[tokio::test]
async fn images_are_what_their_digests_say_and_released_tags_do_not_move() {
    let aws = start();
    let me = operator(&aws);
    create_repository(&me, "acme/base").await;
    let name = "acme/base";
    let first = manifest(b"config", b"layer one");
    assert_eq!(put_image(&me, name, &first, Some("v1.0.0")).await, "LayersNotFoundException");
    let layer = upload(&me, name, b"layer one").await;
    upload(&me, name, b"layer two").await;
    upload(&me, name, b"config").await;
    let available = me
        .ecr
        .batch_check_layer_availability()
        .repository_name(name)
        .layer_digests(&layer)
        .layer_digests(digest(b"x"))
        .layer_digests("md5:1")
        .send()
        .await
        .unwrap();
    let states: Vec<&str> = available.layers().iter().map(|l| l.layer_availability().unwrap().as_str()).collect();
    assert_eq!(states, ["AVAILABLE", "UNAVAILABLE"]);
    assert_eq!(available.failures().len(), 1);

    assert_eq!(put_image(&me, name, &first, Some("v1.0.0")).await, "ok");
    assert_eq!(put_image(&me, name, &first, Some("v1.0.0")).await, "ImageAlreadyExistsException");
    assert_eq!(put_image(&me, name, &first, Some("sha256-abc.sig")).await, "ok");
    let second = manifest(b"config", b"layer two");
    assert_eq!(put_image(&me, name, &second, Some("v1.0.0")).await, "ImageTagAlreadyExistsException");
    assert_eq!(put_image(&me, name, &second, Some("sha256-abc.sig")).await, "ok", "signatures may move");
    assert_eq!(put_image(&me, name, &second, Some("not a tag")).await, "InvalidParameterException");
    assert_eq!(put_image(&me, name, "{}", Some("v2")).await, "InvalidParameterException");
    let tags = aws.image_tags(name).unwrap();
    assert_eq!(tags["v1.0.0"], digest(first.as_bytes()));
    assert_eq!(tags["sha256-abc.sig"], digest(second.as_bytes()));
    let lie =
        me.ecr.put_image().repository_name(name).image_manifest(&second).image_tag("v3").image_digest(digest(b"x"));
    assert_eq!(code(lie.send().await), "ImageDigestDoesNotMatchException");

    let index = |digest: String| {
        json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1 }]
        })
        .to_string()
    };
    assert_eq!(put_image(&me, name, &index(digest(b"nothing")), None).await, "ReferencedImagesNotFoundException");
    assert_eq!(put_image(&me, name, &index(digest(first.as_bytes())), Some("v1")).await, "ok");

    let by_tag = ecr::ImageIdentifier::builder().image_tag("v1.0.0").build();
    let missing = ecr::ImageIdentifier::builder().image_tag("v9").build();
    let got = me
        .ecr
        .batch_get_image()
        .repository_name(name)
        .image_ids(by_tag.clone())
        .image_ids(missing.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(got.images()[0].image_manifest(), Some(first.as_str()));
    assert_eq!(got.failures()[0].failure_code(), Some(&ecr::ImageFailureCode::ImageNotFound));
    let described = me.ecr.describe_images().repository_name(name).image_ids(by_tag).send().await.unwrap();
    assert_eq!(described.image_details()[0].image_digest(), Some(digest(first.as_bytes()).as_str()));
    assert_eq!(described.image_details()[0].image_size_in_bytes(), Some(9));
    let none = me.ecr.describe_images().repository_name(name).image_ids(missing).send().await.unwrap_err();
    assert!(none.as_service_error().unwrap().is_image_not_found_exception());
    let page = me.ecr.describe_images().repository_name(name).max_results(2).send().await.unwrap();
    let rest = me
        .ecr
        .describe_images()
        .repository_name(name)
        .max_results(2)
        .set_next_token(page.next_token)
        .send()
        .await
        .unwrap();
    assert_eq!((page.image_details.unwrap().len(), rest.image_details().len(), rest.next_token()), (2, 1, None));

    let link = me.ecr.get_download_url_for_layer().repository_name(name).layer_digest(&layer).send().await.unwrap();
    let path = link.download_url().unwrap().strip_prefix(&aws.url()).unwrap().to_owned();
    let mut request =
        Request { method: "GET".into(), path, query: String::new(), headers: Default::default(), body: Vec::new() };
    request.headers.insert("host", aws.url().trim_start_matches("http://").parse().unwrap());
    assert_eq!(send(&aws.url(), &request).body, b"layer one");
    request.path.push('x');
    assert_eq!(send(&aws.url(), &request).status, 403);
    assert_eq!(code(me.ecr.delete_repository().repository_name(name).send().await), "RepositoryNotEmptyException");
}

#[tokio::test]
async fn a_layer_is_taken_whole_or_not_at_all() {
    let aws = start();
    let me = operator(&aws);
    create_repository(&me, "acme/base").await;
    let name = "acme/base";
    upload(&me, name, b"known").await;
    let id = me.ecr.initiate_layer_upload().repository_name(name).send().await.unwrap().upload_id.unwrap();
    let complete = |id: &str, bytes: &[u8]| {
        me.ecr.complete_layer_upload().repository_name(name).upload_id(id).layer_digests(digest(bytes))
    };
    assert_eq!(code(complete(&id, b"x").send().await), "EmptyUploadException");
    let part = |first: i64, bytes: &[u8]| {
        let last = first + i64::try_from(bytes.len()).unwrap() - 1;
        me.ecr
            .upload_layer_part()
            .repository_name(name)
            .upload_id(&id)
            .part_first_byte(first)
            .part_last_byte(last)
            .layer_part_blob(bytes.to_vec().into())
    };
    assert_eq!(code(part(1, b"kn").send().await), "InvalidLayerPartException");
    assert_eq!(code(part(0, b"kn").send().await), "ok");
    assert_eq!(code(part(0, b"kn").send().await), "InvalidLayerPartException");
    assert_eq!(code(part(2, b"own").send().await), "ok");
    assert_eq!(code(complete(&id, b"known").send().await), "LayerPartTooSmallException");
    let id = me.ecr.initiate_layer_upload().repository_name(name).send().await.unwrap().upload_id.unwrap();
    let whole = me
        .ecr
        .upload_layer_part()
        .repository_name(name)
        .upload_id(&id)
        .part_first_byte(0)
        .part_last_byte(4)
        .layer_part_blob(b"known".to_vec().into());
    whole.send().await.unwrap();
    assert_eq!(code(complete(&id, b"other").send().await), "InvalidLayerException");
    assert_eq!(code(complete(&id, b"known").send().await), "LayerAlreadyExistsException");
    assert_eq!(code(complete("no-such-upload", b"known").send().await), "UploadNotFoundException");
}

#[tokio::test]
async fn an_image_that_a_list_names_stays_until_the_list_is_gone_and_takes_its_signatures_along() {
    let aws = start();
    let me = operator(&aws);
    let name = "acme/going";
    create_repository(&me, name).await;
    upload(&me, name, b"layer").await;
    upload(&me, name, b"config").await;
    let image = manifest(b"config", b"layer");
    assert_eq!(put_image(&me, name, &image, Some("v1.0.0-amd64")).await, "ok");
    let image_digest = digest(image.as_bytes());
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image_digest, "size": 1 }]
    })
    .to_string();
    assert_eq!(put_image(&me, name, &index, Some("v1.0.0")).await, "ok");
    let mut signature: serde_json::Value = serde_json::from_str(&image).unwrap();
    signature["subject"] = json!({ "mediaType": "application/vnd.oci.image.index.v1+json", "size": 1,
        "digest": digest(index.as_bytes()) });
    assert_eq!(put_image(&me, name, &signature.to_string(), None).await, "ok");

    let by_digest = |digest: &str| ecr::ImageIdentifier::builder().image_digest(digest).build();
    let delete = |ids: Vec<ecr::ImageIdentifier>| {
        me.ecr.batch_delete_image().repository_name(name).set_image_ids(Some(ids)).send()
    };
    let index_digest = digest(index.as_bytes());
    let both = delete(vec![by_digest(&index_digest), by_digest(&image_digest)]).await.unwrap();
    assert_eq!(both.failures()[0].failure_code(), Some(&ecr::ImageFailureCode::ImageReferencedByManifestList));
    assert_eq!(both.image_ids()[0].image_digest(), Some(index_digest.as_str()));
    let left = me.ecr.describe_images().repository_name(name).send().await.unwrap();
    assert_eq!(left.image_details().len(), 1, "the signature went with its subject");
    let tag = ecr::ImageIdentifier::builder().image_tag("v1.0.0-amd64").build();
    assert!(delete(vec![tag]).await.unwrap().failures().is_empty(), "the last tag takes the image along");
    assert_eq!(me.ecr.describe_images().repository_name(name).send().await.unwrap().image_details().len(), 0);
    assert_eq!(code(delete(Vec::new()).await), "InvalidParameterException");
}
