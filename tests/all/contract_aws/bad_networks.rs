//! Networks that fail, and how long the adapter waits.

use std::net::TcpListener;
use std::time::Duration;

use sbi::aws::{Aws, Pace, Timeouts};
use sbi::failure::{Cause, ExitCode};
use sbi::model::names::RoleName;
use sbi::sandbox::http::{Answer, Weather};

use super::{at, connect, ecr_name, hasty, identity, serve, whole_text};

#[tokio::test]
async fn a_refused_connection_names_service_and_endpoint() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let aws = connect(&endpoint).await;
    let failure = aws.ecr_repository(&ecr_name("acme/base")).await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Unreachable);
    assert_eq!(
        failure.message(),
        format!("can't reach Amazon ECR at {endpoint} for ecr:DescribeRepositories on the ECR repository acme/base")
    );
    assert!(failure.reasons()[0].contains("refused"), "{:?}", failure.reasons());
    assert_eq!(failure.exit_code(), ExitCode::Failed);
}

#[tokio::test]
async fn an_unknown_host_is_unreachable() {
    let aws = connect("http://aws.invalid").await;
    let failure = aws.caller_identity().await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Unreachable, "{}", whole_text(&failure));
    assert_eq!(failure.message(), "can't reach AWS STS at http://aws.invalid for sts:GetCallerIdentity");
}

#[tokio::test]
async fn a_silent_server_ends_in_a_clear_message() {
    let server = serve(|_, _| identity());
    server.set_forecast(|_, _| Weather::Hang);
    let timeouts = Timeouts { attempt: Duration::from_millis(30), ..Timeouts::default() };
    let aws = Aws::connect_with(at(&server.url()), timeouts, hasty()).await.unwrap();
    let failure = aws.caller_identity().await.unwrap_err();
    assert_eq!(*failure.cause(), Cause::Unreachable, "{}", whole_text(&failure));
    assert_eq!(failure.message(), format!("AWS STS does not answer sts:GetCallerIdentity at {}", server.url()));

    // A connection that is taken from the queue by nobody.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let timeouts = Timeouts { operation: Duration::from_millis(50), ..Timeouts::default() };
    let aws = Aws::connect_with(at(&endpoint), timeouts, hasty()).await.unwrap();
    let failure = aws.role(&RoleName::new("publisher").unwrap(), "sbi-publish").await.unwrap_err();
    let title = "iam:GetRole on the IAM role publisher";
    assert_eq!(failure.message(), format!("AWS IAM does not answer {title} at {endpoint}"));
}

#[tokio::test]
async fn an_answer_that_is_not_of_aws_is_called_that() {
    let server = serve(|_, _| Answer::new(200, "text/html", "<html>sign in to the hotel</html>"));
    let aws = connect(&server.url()).await;
    let failure = aws.ecr_repository(&ecr_name("acme/base")).await.unwrap_err();
    assert!(failure.message().contains("no answer of AWS (status 200)"), "{}", whole_text(&failure));
    assert!(failure.message().contains(&server.url()), "{failure}");
    let failure = aws.caller_identity().await.unwrap_err();
    assert!(whole_text(&failure).contains("AWS STS"), "{}", whole_text(&failure));
}

#[test]
fn the_programs_own_patience_is_bounded() {
    let Timeouts { connect, attempt, operation } = Timeouts::default();
    assert_eq!([connect, attempt, operation].map(|time| time.as_secs()), [5, 15, 60]);
    assert_eq!(Pace::default().key_deadline.as_secs(), 60);
}
