#include "services/order/order.hpp"

int main(int argc, char** argv) {
    return saga::run(argc, argv, order_service());
}
