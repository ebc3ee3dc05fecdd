// Without a library there are no products of its kind.
#include "kernels/cpu/products.h"
#include "kernels/error.h"

namespace bifrons::cpu {

struct Products::State {};

Products::Products() = default;
Products::~Products() = default;

bool Products::available() { return false; }

void Products::run(const ProductShape&, const void*, const void*, void*) {
  check(false, "products: this build has no library for them");
}

}  // namespace bifrons::cpu
