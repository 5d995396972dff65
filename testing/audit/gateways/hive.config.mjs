// Hive Gateway with a subscription of its own, for the stream audit; docs/streams.md has the command.
import { defineConfig, MemPubSub } from "@graphql-hive/gateway";

const pubsub = new MemPubSub();
let number = 0;

export const gatewayConfig = defineConfig({
  pubsub,
  logging: false,
  maskedErrors: false,
  additionalTypeDefs: /* GraphQL */ `
    type Tick { number: Int! }
    type Mutation { tick: Int! }
    type Subscription { ticked: Tick! countdown: Tick! }
  `,
  additionalResolvers: {
    Mutation: {
      tick: () => {
        number += 1;
        pubsub.publish("tick", { number });
        return number;
      },
    },
    Subscription: {
      ticked: { subscribe: () => pubsub.subscribe("tick"), resolve: (tick) => tick },
      countdown: {
        async *subscribe() {
          for (const number of [2, 1]) yield { number };
        },
        resolve: (tick) => tick,
      },
    },
  },
});
