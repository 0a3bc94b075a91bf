#include "services/payment/payment.hpp"

int main(int argc, char** argv) {
    return saga::run(argc, argv, payment_service());
}
