// The faults: each is made, shown to have struck, and taken back.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "saga/cli/chaos/attack.hpp"
#include "saga/cli/chaos/stage.hpp"
#include "saga/cli/chaos/tally.hpp"

namespace saga::cli {

/// One thread. After each fault the landscape is whole again, though it may still be at work.
class Torment {
  public:
    /// `kinds`: empty: all that are possible here.
    Torment(Stage& stage, Tally& tally, std::vector<std::string> kinds,
            std::function<void(const std::string&)> say);

    static std::vector<std::string> kinds();
    /// Starts the landscape, and harms its very first start.
    void open();
    /// Draws faults for so long; every kind and every failpoint comes at least once, also where
    /// that takes longer.
    void run(Duration time);
    /// Takes back what still harms.
    void heal();

  private:
    struct Kind {
        std::string_view name;
        void (Torment::*make)();
    };
    static const std::vector<Kind>& all();
    bool wanted(std::string_view kind) const;
    void look_what_is_possible();
    void make(const Kind& kind);
    void struck(const std::string& kind);
    void wrong(const std::string& what);

    // Of links
    void link_fault(LinkFault fault, std::string_view name, Duration least, Duration most);
    void partition() { link_fault(LinkFault::partition, "partition", S(1), S(6)); }
    void half_open() { link_fault(LinkFault::half_open, "half-open", S(1), S(3)); }
    void delay() { link_fault(LinkFault::delay, "delay", S(1), S(3)); }
    void cut() { link_fault(LinkFault::cut, "cut", S(1), S(2)); }
    void reset() { link_fault(LinkFault::reset, "reset", S(0), S(1)); }
    // Of processes
    void kill();
    void pause();
    void clock();
    void rolling();
    /// From the earlier builds with which it all began to these, with both at work in between.
    void upgrade();
    /// It stops cleanly and comes back as this build.
    void restart(Member& member);
    // Of the broker
    void broker_kill();
    void broker_pause();
    void broker_rollback();
    void broker_wipe();
    // Of files
    void disk_full();
    void duplicate();
    void copy();
    void restore();
    /// Gives it back its database of a while ago; `before_start`: told when that is in its place.
    /// Whether it could be done.
    bool turn_back(Member& member, Duration time, const std::function<void()>& before_start);
    void expect_refusal(const std::string& who, Member& member, const std::filesystem::path& data,
                        std::string_view why);
    // Of strangers
    void attack();
    // Of named places in the code
    struct Point {
        std::string name, way;
    };
    std::vector<Point> points();
    std::vector<Member*> having(const std::string& point);
    void failpoint(const Point& point);
    bool reached(Member& member, const Point& point, Duration limit);
    void disarm(Member& member, bool hit);
    void provoke(Member& member, const std::string& point);
    std::vector<Member*> answering(const Member& member);
    bool seen(Member& member, const Point& point, Duration limit);

    static std::filesystem::path clock_library();
    static Duration S(int seconds) { return std::chrono::seconds(seconds); }
    /// Lets time pass, in which programs are killed at random.
    void linger(Duration time);
    /// Until every service is ready and has sent what is older than a moment, as far as it comes.
    bool calm(Duration limit = std::chrono::seconds(30));
    Member& any_member();
    Member& any_service();
    template <class T>
    T draw(T least, T most) {
        return std::uniform_int_distribution<T>(least, most)(chance_);
    }
    Duration draw(Duration least, Duration most) {
        return Duration(draw<std::int64_t>(least.count(), most.count()));
    }

    Stage& stage_;
    Tally& tally_;
    const std::vector<std::string> wish_;
    std::function<void(const std::string&)> say_;
    std::mt19937_64 chance_;
    Attack attack_;
};

}  // namespace saga::cli
