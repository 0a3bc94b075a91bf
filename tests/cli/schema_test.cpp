// saga schema, as its users run it.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "saga/flow/evolution.hpp"
#include "saga/view/base64.hpp"
#include "tests/cli/town.hpp"

using namespace saga::testing;
using nlohmann::json;
namespace files = std::filesystem;

namespace {

std::string content(const files::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE_MESSAGE(file.good(), path.string());
    return {std::istreambuf_iterator<char>(file), {}};
}
void write(const files::path& path, const std::string& text) {
    files::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
}

constexpr auto kReleased = R"(
namespace shop.till;
table Receipt { id:string (required); cents:int64; }
root_type Receipt;
)";

/// A folder with a schema, and what was released of it.
struct Schemas {
    TempFolder folder;

    explicit Schemas(const std::string& today) {
        write(path() / "released/till.fbs", kReleased);
        write(path() / "till.fbs", today);
    }
    files::path path() const { return folder.path(); }
    Ran check(std::vector<std::string> args) const {
        args.insert(args.begin(), {"schema", "check"});
        return run_to_end(
            {saga_program(), args, plain_env(path().string(), "nats://127.0.0.1:1"), ""});
    }
};

}  // namespace

TEST_CASE("schema check: what only grows can be released") {
    const Schemas grown(
        "namespace shop.till;\n"
        "table Receipt { id:string (required); cents:int64; note:string; }\n"
        "table Voucher { id:string; }\n"
        "root_type Receipt;");
    const Ran ran = grown.check({grown.path().string()});
    INFO(ran.out, ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out == "it holds: 1 schema can be released\n");
    const std::string elsewhere = (grown.path() / "released").string();
    CHECK(grown.check({grown.path().string(), "--released", elsewhere}).code == 0);
    const json found = json::parse(grown.check({grown.path().string(), "--json"}).out);
    CHECK(found == json{{"holds", true}, {"schemas", 1}, {"breaks", json::array()}});
}

TEST_CASE("schema check: what breaks is named, with how to mend it") {
    const Schemas renamed(
        "namespace shop.till;\n"
        "table Receipt { id:string (required); amount:int64; }\n"
        "root_type Receipt;");
    const Ran ran = renamed.check({renamed.path().string()});
    INFO(ran.out, ran.err);
    CHECK(ran.code == 1);
    CHECK(has(ran.out,
              "till.fbs  shop.till.Receipt.cents: has another name, or another field stands in its "
              "place\nto mend it:  leave what was released where it is"));
    CHECK(has(ran.err, "1 break"));
    const json found = json::parse(renamed.check({renamed.path().string(), "--json"}).out);
    CHECK(found["holds"] == false);
    REQUIRE(found["breaks"].size() == 1);
    CHECK(found["breaks"][0]["file"] == "till.fbs");
    CHECK(!found["breaks"][0]["mend"].get<std::string>().empty());

    files::remove(renamed.path() / "till.fbs");
    CHECK(has(renamed.check({renamed.path().string()}).out, "till.fbs  is gone\n"));
    write(renamed.path() / "till.fbs", "table {");
    const Ran none = renamed.check({renamed.path().string()});
    CHECK(none.code == 1);
    CHECK(has(none.err, "till.fbs against "));
}

TEST_CASE("schema check: a schema finds what it includes beside itself") {
    const Schemas split("include \"coin.fbs\";\n" + std::string(kReleased));
    write(split.path() / "coin.fbs", "namespace shop.coins; table Coin { cents:int64; }");
    const Ran ran = split.check({split.path().string()});
    INFO(ran.err);
    CHECK(ran.code == 0);
}

TEST_CASE("schema check: without anything that was released it says what to do") {
    const TempFolder empty;
    const Ran ran = run_to_end({saga_program(),
                                {"schema", "check", empty.path().string()},
                                plain_env(empty.path().string(), "nats://127.0.0.1:1"),
                                ""});
    CHECK(ran.code == 3);
    CHECK(has(ran.err, "cp schemas/*.fbs schemas/released/"));
}

TEST_CASE("schema ls, export: what running services carry") {
    in_each_town([](Town& town) {
        const json all = town.json({"schema", "ls"});
        const auto granted = std::find_if(all.begin(), all.end(), [](const json& each) {
            return each["type"] == "test.granter.Granted";
        });
        REQUIRE(granted != all.end());
        CHECK((*granted)["owner"] == "granter");
        CHECK((*granted)["services"] == json::array({"auditor", "granter"}));
        CHECK((*granted)["version"].get<std::string>().size() == 8);
        CHECK(has(town.saga({"schema", "ls"}).out, "test.granter.Granted"));

        const files::path folder = files::path(town.folder.path()) / "events";
        const Ran ran = town.saga({"schema", "export", folder.string()});
        INFO(ran.out, ran.err);
        CHECK(ran.code == 0);
        CHECK(lines(ran.out) == all.size());
        const std::string text = content(folder / "test.granter.Granted.fbs");
        CHECK(has(text, "root_type test.granter.Granted;\n"));
        CHECK(saga::flow::breaks({text, ""}, {text, ""}).empty());
        CHECK(content(folder / "test.granter.Granted.bfbs").substr(4, 4) == "BFBS");
        // What was written reads what is published, without a broker to ask.
        town.ask("good", 50);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        const json stored = town.request("$JS.API.STREAM.MSG.GET.SAGA", R"({"seq":1})");
        const auto body =
            saga::view::from_base64(stored["message"]["data"].get<std::string>()).value();
        const TempFolder home;
        const Ran decoded =
            run_to_end({saga_program(),
                        {"decode", "--schema", folder.string()},
                        plain_env(home.path().string(), "nats://127.0.0.1:1"),
                        std::string(reinterpret_cast<const char*>(body.data()), body.size())});
        CHECK_MESSAGE(has(decoded.out, R"("amount":50)"), decoded.out);
    });
}

TEST_CASE("schema ls, export: contracts that carry no schema, or none that is sound") {
    Town town(servers().front());
    const auto with = [&](const json& schemas) {
        std::string path = (files::path(town.folder.path()) / "till.json").string();
        write(path, json{{"format", 1},
                         {"service", "till"},
                         {"reactions", {"s.desk.Begun"}},
                         {"schemas", schemas}}
                        .dump());
        return path;
    };
    const std::string bare = with(json::array());
    CHECK(town.json({"schema", "ls", bare})[0]["version"].is_null());
    const Ran none = town.saga({"schema", "export", town.folder.path().string() + "/out", bare});
    CHECK(none.code == 3);
    CHECK(has(none.err, "no contract carries the schema of s.desk.Begun"));
    const Ran unsound = town.saga({"schema", "ls", with({"AAAA"})});
    CHECK(unsound.code == 1);
    CHECK(has(unsound.err, "a schema in the contract of till is not sound"));
}

TEST_CASE("schema contract: prints a JSON Schema") {
    const TempFolder home;
    const Ran ran = run_to_end({saga_program(),
                                {"schema", "contract"},
                                plain_env(home.path().string(), "nats://127.0.0.1:1"),
                                ""});
    CHECK(ran.code == 0);
    CHECK(json::parse(ran.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema");
}
