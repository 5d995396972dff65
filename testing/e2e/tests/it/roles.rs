//! The services' roles in Postgres: each reaches its own database, and there no more than rows.

use std::process::Command;

use crate::shop::{Shop, run};

/// Role, database and one of its tables, in the order of the password file.
const ROLES: [(&str, &str, &str); 4] = [
    ("marketplace_loms", "loms", "orders"),
    ("marketplace_cart", "cart", "cart_lines"),
    ("marketplace_comments", "comments_0", "comments"),
    ("marketplace_notifier", "notifier", "inbox"),
];

async fn psql(
    shop: &Shop,
    role: &str,
    password: &str,
    database: &str,
    sql: &str,
) -> (bool, String) {
    let mut command = Command::new("psql");
    command
        .env("PGPASSWORD", password)
        .args([
            "-q",
            "-At",
            "-h",
            "127.0.0.1",
            "-p",
            &shop.port(5433).to_string(),
        ])
        .args(["-U", role, "-d", database, "-c", sql]);
    let output = run(command).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), told)
}

/// Fails with all tables granted to every role, and with the rights of PUBLIC left on the databases.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_reads_and_writes_its_own_rows_and_nothing_else() {
    let shop = Shop::shared().await;
    let text = std::fs::read_to_string(shop.state().join("database-roles")).unwrap();
    let passwords: Vec<&str> = text.lines().collect();
    for ((role, own, table), password) in ROLES.into_iter().zip(passwords) {
        let asked =
            async |database: &str, sql: &str| psql(shop, role, password, database, sql).await;
        let read = format!("select count(*) from {table}");
        let (is_read, told) = asked(own, &read).await;
        assert!(is_read, "{role}: {told}");
        for refused in [
            "create table stolen (id int)".to_owned(),
            format!("drop table {table}"),
            format!("truncate {table}"),
            format!("alter table {table} add column stolen int"),
            "select * from seaql_migrations".to_owned(),
            "create role stranger".to_owned(),
            "copy (select 1) to program 'true'".to_owned(),
            "select pg_read_file('PG_VERSION')".to_owned(),
        ] {
            let (is_done, told) = asked(own, &refused).await;
            let is_refused = ["permission denied", "must be"]
                .iter()
                .any(|it| told.contains(it));
            assert!(!is_done && is_refused, "{role}: {refused}: {told}");
        }
        for (_, other, _) in ROLES.iter().filter(|(other, _, _)| *other != role) {
            let (is_let_in, told) = asked(other, "select 1").await;
            assert!(
                !is_let_in && told.contains("permission denied"),
                "{role} in {other}: {told}"
            );
        }
    }
}

/// What the services themselves are connected as.
#[tokio::test(flavor = "multi_thread")]
async fn the_services_are_connected_as_their_roles() {
    let shop = Shop::shared().await;
    let sql = "select distinct usename || ' ' || datname from pg_stat_activity
               where application_name like 'marketplace-%' and application_name <> 'marketplace-reports' order by 1";
    let connected = shop.psql("postgres", sql).await;
    for (role, database, _) in ROLES {
        assert!(
            connected.contains(&format!("{role} {database}")),
            "{connected}"
        );
    }
    assert!(!connected.contains("marketplace loms"), "{connected}");
}
