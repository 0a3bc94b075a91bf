// The file of saga dev, addresses of brokers, and what a broker says of itself.
#include <doctest/doctest.h>

#include <fstream>

#include "saga/cli/broker_info.hpp"
#include "saga/cli/dev_config.hpp"
#include "saga/cli/dev_status.hpp"
#include "tests/cli/program.hpp"

using namespace saga::cli;
using saga::testing::has;
using saga::testing::TempFolder;

namespace {

std::string refusal(const std::string& text) {
    try {
        parse_config(text, "shop.ini");
    } catch (const Stop& stop) {
        CHECK(stop.code == kError);
        return stop.what();
    }
    return "accepted";
}

}  // namespace

TEST_CASE("dev_config: programs in their order, with words, quotes and comments") {
    const std::vector<Program> programs = parse_config(
                                              "; the shop\n"
                                              "[bank]\n"
                                              "command = bank\n"
                                              "service = false\n"
                                              "\r\n"
                                              "[order]\n"
                                              "command = ./order  # beside the file\n"
                                              "args = --batch 64\n"
                                              "args = --name 'two words' \"\"\n"
                                              "env = A=1 B=\"x y\"\n",
                                              "shop.ini")
                                              .programs;
    REQUIRE(programs.size() == 2);
    CHECK(programs[0].name == "bank");
    CHECK_FALSE(programs[0].service);
    CHECK(programs[1].command == "./order");
    CHECK(programs[1].args == std::vector<std::string>{"--batch", "64", "--name", "two words", ""});
    REQUIRE(programs[1].env.size() == 2);
    CHECK(programs[1].env[1] == std::pair<std::string, std::string>{"B", "x y"});
    CHECK(programs[1].service);
}

TEST_CASE("dev_config: what it does not know, it names with its line") {
    CHECK(refusal("") ==
          "shop.ini names no program: it needs a section such as [order] with the "
          "line command = order");
    CHECK(refusal("command = x\n") == "shop.ini:1: it stands in no section: begin one with [name]");
    CHECK(refusal("[a]\ncomand = x\n") ==
          "shop.ini:2: \"comand\" is no key: there are command, args, env and service");
    CHECK(refusal("[a]\n\n[b]\ncommand = b\n") == "shop.ini:1: [a] has no command");
    CHECK(has(refusal("[a]\ncommand = x\n[a]\n"), "shop.ini:3: there is a section [a] already"));
    CHECK(has(refusal("[a b]\n"), "shop.ini:1: a section is [name]"));
    CHECK(has(refusal("[a\n"), "shop.ini:1: a section is [name]"));
    CHECK(has(refusal("[a]\ncommand = x y\n"), "shop.ini:2: command is one program"));
    CHECK(has(refusal("[a]\ncommand =\n"), "shop.ini:2: command is one program"));
    CHECK(has(refusal("[a]\nargs = 'x\n"), "shop.ini:2: a quote is not closed"));
    CHECK(has(refusal("[a]\nenv = X\n"), "shop.ini:2: \"X\" is no NAME=value"));
    CHECK(has(refusal("[a]\nservice = maybe\n"), "shop.ini:2: service is true or false"));
    CHECK(has(refusal("[a]\nwhat\n"), "shop.ini:2: \"what\" is neither [name] nor key = value"));
}

TEST_CASE("dev_config: how a landscape is tried stands in a section of its own") {
    const Config config = parse_config(
        "[order]\ncommand = order\n[chaos]\nload = shop load 'a b'\ncheck = shop audit\n"
        "env = A=1\n[bank]\ncommand = bank\n",
        "shop.ini");
    CHECK(config.programs.size() == 2);
    CHECK(config.trial.load == std::vector<std::string>{"shop", "load", "a b"});
    CHECK(config.trial.check == std::vector<std::string>{"shop", "audit"});
    REQUIRE(config.trial.env.size() == 1);
    CHECK(config.trial.env[0].second == "1");
    CHECK(parse_config("[a]\ncommand = a\n", "shop.ini").trial.load.empty());
    CHECK(refusal("[a]\ncommand = a\n[chaos]\nlod = x\n") ==
          "shop.ini:4: \"lod\" is no key of [chaos]: there are load, check and env");
    CHECK(refusal("[chaos]\nload =\n") == "shop.ini:2: load is a program and its arguments");
}

TEST_CASE("dev_config: a program stands beside saga, on PATH, or where the file says") {
    const TempFolder folder;
    const std::string path = folder / "mine";
    std::ofstream(path) << "#!/bin/sh\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    CHECK(find_program("mine", folder / "saga", "/") == path);
    CHECK(find_program("./mine", "/usr/bin/saga", folder.path()) == folder.path() / "./mine");
    CHECK(find_program("sh", folder / "saga", "/").filename() == "sh");
    try {
        find_program("no-such-program", folder / "saga", "/");
        FAIL("it was found");
    } catch (const Stop& stop) {
        CHECK(has(stop.what(), "there is no program no-such-program in " + folder.path().string()));
    }
    CHECK_THROWS_AS(find_program("./theirs", folder / "saga", folder.path()), Stop);
}

TEST_CASE("broker_info: addresses as people write them") {
    CHECK(endpoint_of("nats://127.0.0.1:4333")->port == 4333);
    CHECK(endpoint_of("localhost")->port == 4222);
    CHECK(endpoint_of("nats://me:word@host:1,nats://other:2")->host == "host");
    CHECK(endpoint_of("nats://[::1]:4333")->host == "::1");
    for (const char* none : {"", "nats://", "host:port", "host:99999", "[::1"})
        CHECK_MESSAGE(!endpoint_of(none), none);
}

TEST_CASE("broker_info: what a server says first") {
    const auto info = parse_info(
        R"(INFO {"server_name":"n","version":"2.9.10","jetstream":true,"max_payload":1048576})");
    REQUIRE(info);
    CHECK(info->version == "2.9.10");
    CHECK(info->jetstream);
    CHECK(info->max_payload == 1048576);
    CHECK(parse_info(R"(INFO {"version":7})")->version.empty());
    for (const char* none : {"", "INFO", "INFO nothing", "HTTP/1.1 400 Bad Request", "INFO [1]"})
        CHECK_MESSAGE(!parse_info(none), none);
}

TEST_CASE("dev_status: comes back as it was told") {
    const DevStatus status{
        .process = 17,
        .data = "/tmp/x",
        .free_bytes = 5,
        .programs = {{.name = "bank", .service = false, .running = true},
                     {.name = "order", .deaths = 2, .ended = "ended", .said = "\x1b\"x\""}}};
    const auto read = read_dev_status(to_json(status));
    REQUIRE(read);
    CHECK(read->process == 17);
    REQUIRE(read->programs.size() == 2);
    CHECK_FALSE(read->programs[0].service);
    CHECK(read->programs[1].deaths == 2);
    CHECK(read->programs[1].said == status.programs[1].said);
    for (const char* none : {"", "{}", "[]", "null"}) CHECK_FALSE(read_dev_status(none));
}
