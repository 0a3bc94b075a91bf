// saga check and saga graph, as their users run them: on files of contracts.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli/town.hpp"

using namespace saga::testing;
using nlohmann::json;

namespace {

json event(const std::string& name, const std::string& kind = "done") {
    return {{"event", name}, {"kind", kind}};
}
json step(const std::string& name, const std::string& on, const std::vector<json>& emits,
          bool ends = false) {
    return {{"name", name},
            {"on", json::array({on})},
            {"emits", emits},
            {"fate", ""},
            {"ends_saga", ends}};
}

/// Two services in files of an empty folder: till takes the money, desk begins and ends.
struct Files {
    TempFolder folder;
    json desk{
        {"format", 1},
        {"service", "desk"},
        {"steps",
         json::array({step("close", "s.till.Taken", {event("s.desk.Closed")}, true),
                      step("reject", "*failed", {event("s.desk.Rejected", "undone")}, true)})},
        {"commands", json::array({{{"verb", "begin"}, {"accepts", "s.desk.Begun"}}})}};
    json till{{"format", 1},
              {"service", "till"},
              {"steps",
               json::array({step("take", "s.desk.Begun",
                                 {event("s.till.Taken"), event("s.till.Declined", "failed")})})}};

    std::string write(const std::string& name, const std::string& text) const {
        std::string path = (folder.path() / name).string();
        std::ofstream(path) << text;
        return path;
    }
    Ran saga(std::vector<std::string> args) const {
        args.push_back(write("desk.json", desk.dump()));
        args.push_back(write("till.json", till.dump()));
        return run_to_end(
            {saga_program(), args, plain_env(folder.path().string(), "nats://127.0.0.1:1"), ""});
    }
};

}  // namespace

TEST_CASE("check: a choreography that holds, without a broker") {
    const Files files;
    const Ran ran = files.saga({"check"});
    INFO(ran.out, ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out == "it holds: 2 services, sagas of desk.begin, 6 states explored\n");
    CHECK(json::parse(files.saga({"check", "--json"}).out)["holds"] == true);
}

TEST_CASE("check: one that does not says why, how it comes about, and how to mend it") {
    Files files;
    files.till["steps"].push_back(
        step("log", "s.desk.Begun", {event("s.till.Logged"), event("s.till.Full", "failed")}));
    const Ran ran = files.saga({"check"});
    INFO(ran.out, ran.err);
    CHECK(ran.code == 1);
    CHECK(has(ran.out, "left_standing  till.take is done, the saga has failed by Full"));
    CHECK(has(ran.out, "    client -> desk  Begun\n"));
    CHECK(has(ran.out, "log fails: Full\n"));
    CHECK(has(ran.out, "to mend it:  say undo, or keeps where it may stand"));
    CHECK(has(ran.err, "findings"));
    CHECK(has(files.saga({"check", "--mermaid"}).out, "```mermaid\nsequenceDiagram\n"));
    const json found = json::parse(files.saga({"check", "--json"}).out);
    CHECK(found["holds"] == false);
    CHECK(found["complete"] == true);
    CHECK(found["findings"].size() >= 2);
    const Ran few = files.saga({"check", "--states", "1", "--json"});
    CHECK(few.code == 1);
    CHECK(json::parse(few.out)["complete"] == false);
}

TEST_CASE("check, graph: files that are no contracts are named, with what is wrong") {
    Files files;
    const auto refused = [&](const std::string& text) {
        const Ran ran = files.saga({"check", files.write("third.json", text)});
        CHECK(ran.out.empty());
        CHECK(ran.code != 0);
        return ran.err;
    };
    CHECK(has(refused("service: till"), "third.json is no JSON: a service prints its contract"));
    CHECK(has(refused("{}"), "third.json: the contract has no \"format\""));
    CHECK(has(refused(files.till.dump()), "two of the files are contracts of till"));
    files.till["steps"][0]["emits"][0]["kind"] = "faild";
    const Ran ran = files.saga({"graph"});
    CHECK(ran.code == 1);
    CHECK(has(ran.err, "till.json: steps[0].emits[0].kind is \"faild\""));
    CHECK(
        has(run_to_end(
                {saga_program(), {"graph", "none.json"}, plain_env("/", "nats://127.0.0.1:1"), ""})
                .err,
            "cannot read none.json"));
}

TEST_CASE("permissions: a number of shards that is none is refused, and what it looks like shown") {
    const Files files;
    for (const char* wrong : {"till", "till=", "till=0", "till=2,x", "till=65"}) {
        CAPTURE(wrong);
        const Ran ran = files.saga({"permissions", "--json", "--shards", wrong});
        CHECK(ran.code == 2);
        CHECK(ran.out.empty());
        CHECK(has(ran.err, "--shards till=4"));
    }
    CHECK(files.saga({"permissions", "--json", "--shards", "till=2"}).code == 0);
}

TEST_CASE("graph: draws contracts in each format") {
    const Files files;
    CHECK(files.saga({"graph"}).out.starts_with("flowchart LR\n"));
    CHECK(files.saga({"graph", "--format", "dot"}).out.starts_with("digraph choreography {\n"));
    CHECK(json::parse(files.saga({"graph", "--json"}).out)["nodes"].size() == 4);
    CHECK(files.saga({"graph", "--format", "png"}).code == 2);
}

TEST_CASE("check, graph: contracts of the services that run, and files beside them") {
    in_each_town([](Town& town) {
        const json alone = town.json({"check"});
        CHECK(alone["services"] == 3);
        CHECK(alone["begins"] == json::array({"asker.ask"}));
        REQUIRE(alone["findings"].size() == 1);  // nobody takes what granter asks
        CHECK(alone["findings"][0]["what"] == "no_reader");
        CHECK(alone["findings"][0]["about"] == "test.granter.Overdue");

        const std::string desk = (town.folder.path() / "desk.json").string();
        std::ofstream(desk)
            << R"({"format":1,"service":"desk","reactions":["test.granter.Overdue"]})";
        const Ran together = town.saga({"check", "--live", desk});
        INFO(together.out, together.err);
        CHECK(together.code == 0);
        CHECK(together.out.starts_with("it holds: 4 services, sagas of asker.ask, "));
        // A file counts before what runs.
        const std::string granter = (town.folder.path() / "granter.json").string();
        std::ofstream(granter) << R"({"format":1,"service":"granter","steps":[
            {"name":"grant","on":["test.asker.Asked"],"fate":"keeps",
             "emits":[{"event":"test.granter.Granted","kind":"done"}]}]})";
        CHECK(town.saga({"check", "--live", granter}).code == 0);

        CHECK(has(town.saga({"graph"}).out, "subgraph s2[\"granter\"]"));
        CHECK(has(town.saga({"graph", "--live", desk}).out, "[\"desk\"]"));
    });
}

TEST_CASE("graph: the way that a saga went") {
    in_each_town([](Town& town) {
        town.ask("good", 50);
        REQUIRE(town.drive_all([&] { return town.at_rest(); }));
        const auto went = [&](const json& graph, const std::string& event) {
            for (const json& edge : graph["edges"])
                if (edge["events"] == json::array({event})) return edge["happened"] == true;
            FAIL("no edge of " << event);
            return false;
        };
        const json graph = town.json({"graph", "--saga", "good"});
        CHECK(went(graph, "test.granter.Granted"));
        CHECK(!went(graph, "test.granter.Denied"));
        CHECK(has(town.saga({"graph", "--saga", "good"}).out, "linkStyle"));
        CHECK(!has(town.saga({"graph"}).out, "stroke-width:4px"));
        const Ran nobody = town.saga({"graph", "--saga", "nobody"});
        CHECK(nobody.code == 3);
        CHECK(has(nobody.err, "the stream has no event of a saga nobody"));
    });
}

TEST_CASE("graph: without any service the broker has no contracts, and it says so") {
    Town town(servers().front());
    for (const char* command : {"check", "graph"}) {
        const Ran ran = town.saga({command});
        CHECK(ran.code == 3);
        CHECK(has(ran.err, "no service has published a contract on this broker"));
    }
}

TEST_CASE("graph: SVG, by Graphviz") {
    const Files files;
    const Ran ran = files.saga({"graph", "--format", "svg"});
    if (has(ran.err, "there is no dot on PATH")) {
        CHECK(ran.code == 1);
        MESSAGE("skipped: there is no Graphviz here");
        return;
    }
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(has(ran.out, "<svg "));
    CHECK(has(ran.out, "Taken"));
    CHECK(ran.out.ends_with("</svg>\n"));
}
